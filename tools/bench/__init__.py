"""The benchmark: this service beside other frameworks that give the same answers from the same data."""
