"""Options of the mock that the service does not have."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class MockOptions(NamedTuple):
    """What a mock starts with and how it behaves; the defaults are those of `music-studio mock`."""

    data: Path | None = None
    """The file with the data of the start, in place of the demo data."""
    seed: int = 0
    """The seed of generated responses and of failures."""
    fail_one_in: int = 0
    """One of so many requests fails; 0: none."""


DEFAULTS = MockOptions()
