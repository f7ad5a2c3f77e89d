"""The work of the operator's commands: demo data, importer, keys, backup, maintenance."""
