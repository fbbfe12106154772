"""Read-only snapshots of conversations behind links."""
