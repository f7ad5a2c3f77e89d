"""Checks of the contract: breaking-change gate, contract coverage, mutants and the swap test."""
