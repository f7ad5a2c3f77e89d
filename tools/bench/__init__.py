"""Benchmark: this service and other frameworks that give the same responses from the same data."""
