"""HTTP semantics of every operation: request checks, request body, conditional requests, CORS, idempotency."""
