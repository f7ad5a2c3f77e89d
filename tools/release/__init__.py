"""What others take from a release: contract, requests, documentation, clients, bill of materials and digests."""
