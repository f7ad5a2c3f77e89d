"""The mock: the service on a database in memory with the demo, and `Prefer` for any documented response."""
