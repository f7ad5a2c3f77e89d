"""Which schema this version of the service needs: the number of its newest migration."""

from collections.abc import Collection
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "migrations"


@cache
def head() -> str:
    """The newest revision. Files are numbered, so that a starting server need not load Alembic to know it."""
    return max(file.name[:4] for file in (FOLDER / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def is_compatible(found: Collection[str]) -> bool:
    """Whether this version of the service can work on a schema of these revisions: its own, or the one after it.

    A migration only adds what the version before can live with, and a later one takes away: so the database goes
    first, and servers follow one by one.
    """
    return len(found) == 1 and {*found} <= {head(), f"{int(head()) + 1:04}"}
