"""The HTTP server on uvicorn: protocol, timeouts, listeners and processes."""
