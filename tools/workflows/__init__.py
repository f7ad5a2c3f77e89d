"""What clients do step by step: the Arazzo document, run against a server and told as the tutorial."""
