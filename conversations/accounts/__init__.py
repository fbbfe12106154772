"""People: who is asking, guests, sessions, passwords, API keys, leaving."""
