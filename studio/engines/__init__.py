"""The engines by key."""
