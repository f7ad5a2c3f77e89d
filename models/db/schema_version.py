"""Schema version that this version of the service needs: the number of its newest migration."""

from collections.abc import Collection
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "migrations"


@cache
def revisions() -> frozenset[str]:
    """All revisions, from the numbered file names, so that a starting server need not import Alembic."""
    return frozenset(file.name[:4] for file in (FOLDER / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


@cache
def head() -> str:
    """The newest revision."""
    return max(revisions())


def is_compatible(revisions: Collection[str]) -> bool:
    """Whether this version of the service works with a schema of these revisions: its own, or the next one.

    A migration only adds what the previous version can work with; a later migration removes the old. So the database
    is upgraded first, then the servers one by one.
    """
    return len(revisions) == 1 and {*revisions} <= {head(), f"{int(head()) + 1:04}"}
