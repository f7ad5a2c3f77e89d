"""The reference as text: pages and samples for people and programs, made from the contract."""
