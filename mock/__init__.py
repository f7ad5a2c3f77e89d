"""The mock: the contract, the edge and the handlers of the service, on rows in memory instead of a database."""
