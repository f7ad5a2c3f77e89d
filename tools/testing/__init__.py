"""Test support for the tests, the benchmark and the endurance runs."""
