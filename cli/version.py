"""The version of the program."""

from pathlib import Path

import settings


def version() -> str:
    """The version of the contract, which is the project's: the package's metadata must say the same."""
    import yaml

    document = yaml.load(Path(settings.CONTRACT).read_bytes(), Loader=yaml.CSafeLoader)
    return str(document["info"]["version"])
