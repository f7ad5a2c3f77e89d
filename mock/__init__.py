"""Mock server: the service on in-memory SQLite with demo data; `Prefer` selects any documented response."""
