"""Files of messages: kept, served, and read for models."""
