"""Quotas of credentials and addresses: the limiter, its counters in memory or Redis, the client address."""
