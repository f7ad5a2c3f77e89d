"""Endurance and fault tests that take minutes: load, kills, outages, growth and soak, on both databases."""
