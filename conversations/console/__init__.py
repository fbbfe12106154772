"""The console: what staff look at while the server runs; see `docs/console.md`."""
