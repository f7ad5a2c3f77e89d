"""Rules of HTTP that hold for every operation: legal requests, bodies, preconditions, CORS, idempotency."""
