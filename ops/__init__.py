"""What an operator's commands do: the demo, the importer, keys, and running the server."""
