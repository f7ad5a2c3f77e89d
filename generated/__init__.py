"""What `make generate` writes from the contract; never edited by hand."""
