"""Reports of settled replies to other servers: the outbox, and its delivery."""
