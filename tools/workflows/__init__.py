"""Workflows: the contract's Arazzo document, run against servers and rendered as the tutorial."""
