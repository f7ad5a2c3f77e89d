"""How Alembic reaches the database: over the connection that models.db.migrate has opened and locked."""

from alembic import context

# Every module with a table, so that the metadata is whole.
from models import collection_track_queries, idempotency, key_queries, organizations
from models.base import metadata

TABLES = (collection_track_queries, idempotency, key_queries, organizations)

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("Migrations run through models.db.migrate, which takes the lock first.")

context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
