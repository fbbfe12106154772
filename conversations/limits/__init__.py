"""How much somebody may ask for: rates, runs, tokens, sizes."""
