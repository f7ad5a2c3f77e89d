"""The database layer: engines, pools, transactions, retries, circuit breaker, replica and migrations; no table."""
