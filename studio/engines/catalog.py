"""What each engine can do. Needs no library, so a process that only lists engines stays small."""

from __future__ import annotations

from dataclasses import dataclass

# A second of MP3 takes at most so much, whatever it sounds like; music takes three quarters of it.
BYTES_PER_SECOND = 20_000
PROMPT_LANGUAGES = ("en", "de", "fr")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """An engine as clients see it. `licence_class` says who may use its music commercially."""

    key: str
    name: str
    description: str
    modes: tuple[str, ...]
    max_duration_seconds: int
    supports_stems: bool
    languages: tuple[str, ...] = PROMPT_LANGUAGES
    supports_vocals: bool = False
    supports_lyrics: bool = False
    supports_continuation: bool = False
    licence_class: str = "commercial_cleared"
    commercial_use: bool = True
    requires_attribution: bool = False


STUDIO = Capabilities(
    key="studio",
    name="Studio",
    description="Arranged pieces with melody, harmony, bass and drums, computed without any recording.",
    modes=("creation", "focus"),
    max_duration_seconds=600,
    supports_stems=True,
)
DRIFT = Capabilities(
    key="drift",
    name="Drift",
    description="Slow ambient music without drums, for sleep and concentration, computed without any recording.",
    modes=("creation", "focus"),
    max_duration_seconds=600,
    supports_stems=True,
)
COMPUTED = {engine.key: engine for engine in (STUDIO, DRIFT)}
