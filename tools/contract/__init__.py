"""What guards the contract: the breaking-change gate, its coverage by tests, its mutants and the swap test."""
