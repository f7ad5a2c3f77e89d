"""Database layer: engines, pools, transactions, retries, circuit breaker, replica and migrations. It names no table."""
