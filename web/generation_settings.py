"""What operations on engines and jobs need of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from studio.engines.catalog import Capabilities


class GenerationSettings(NamedTuple):
    """The engines of this installation by key, and how many queued and running jobs a caller may have."""

    engines: Mapping[str, Capabilities]
    max_active_jobs: int
