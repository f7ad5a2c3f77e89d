"""Alembic environment: runs migrations on the connection that models.db.migrate has opened and locked."""

from alembic import context

from models.db import distribute
from models.schema import collections

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("Run migrations through models.db.migrate, which takes the lock first.")

metadata = collections.metadata
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with distribute.placing_new_tables(connection, distribute.declared(metadata)), context.begin_transaction():
    context.run_migrations()
