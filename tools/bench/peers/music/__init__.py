"""Shared parts of the Python peers: tables, statements and the data layer."""
