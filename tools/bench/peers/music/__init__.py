"""What the Python peers share: the tables as they would declare them, and one caller's data behind a few functions."""
