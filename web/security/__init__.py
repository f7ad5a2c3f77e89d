"""Authentication by API key or JWT, the key cache and the recording of key usage."""
