"""Documentation site: reference pages and samples generated from the contract."""
