"""Real servers in processes of their own, raw-socket clients, and what must hold between them."""
