"""What takes minutes: the service under load, killed, cut off, filled up and grown, on both databases."""
