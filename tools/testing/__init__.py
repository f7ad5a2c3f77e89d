"""What the tests, the benchmark and the endurance runs start and drive the service with."""
