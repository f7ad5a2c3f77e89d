"""What operations on engines and jobs need of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from studio.engines.catalog import Capabilities


class GenerationSettings(NamedTuple):
    """The engines of this installation by key, and the limits of its users.

    A caller may have `max_active_jobs` queued and running jobs, an organization `organization_audio_mib` MiB of audio,
    where 0 is no limit.
    """

    engines: Mapping[str, Capabilities]
    max_active_jobs: int
    organization_audio_mib: int
