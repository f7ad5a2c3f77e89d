"""Domain layer: tables, rows, queries and access rules."""
