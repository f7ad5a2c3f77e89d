"""Schema revision that this version of the program works with."""

from models.db import schema_version


def revision() -> str:
    """The number of the newest migration."""
    return schema_version.head()
