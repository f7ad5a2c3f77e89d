"""Rate limits: quotas of credentials and addresses, their counters in memory or Redis, the client address."""
