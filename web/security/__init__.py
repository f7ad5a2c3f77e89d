"""Who is asking: authentication by API key or JWT, the cache of keys and the record of their use."""
