"""A job keeps the trace context of its request, so that the spans of a worker belong to the same trace."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# SQLite adds a rule to a table that is there only together with a column, and Alembic writes them apart.
ADD_TRACE_CONTEXT = (
    "ALTER TABLE generations ADD COLUMN trace_context TEXT "
    "CONSTRAINT ck_generations_trace_context_length CHECK (length(trace_context) BETWEEN 55 AND 255)"
)


def upgrade() -> None:
    op.execute(ADD_TRACE_CONTEXT)


def downgrade() -> None:
    op.drop_column("generations", "trace_context")
