"""Programs for those who develop the service: benchmark, endurance runs, contract gates, clients, test servers."""
