"""Alembic environment: runs migrations on the connection that models.db.migrate has opened and locked."""

from alembic import context

from models.schema import collections

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("Run migrations through models.db.migrate, which takes the lock first.")

context.configure(connection=connection, target_metadata=collections.metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
