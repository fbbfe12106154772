"""Faults thrown at real processes while readers keep ledgers: `make faults`, docs/faults.md."""
