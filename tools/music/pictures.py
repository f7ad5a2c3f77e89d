"""Ten pieces as pictures, with what was asked and what came: docs/music.md."""

from __future__ import annotations

import tempfile
from pathlib import Path

from studio.auditions import audition

FOLDER = Path(__file__).parents[2] / "docs" / "music"
PAGE = FOLDER.with_suffix(".md")
PIECES = (
    ("studio", "rain on a window, 70 bpm, piano"),
    ("studio", "lofi beats to study"),
    ("studio", "epic adventure in D minor with drums"),
    ("studio", "fröhlicher Walzer"),
    ("studio", "techno at night, 128 bpm"),
    ("studio", "jazz trio, swing"),
    ("studio", "folk guitar on a spring morning"),
    ("studio", "triste violoncelle"),
    ("drift", "ambient space, sleep"),
    ("drift", "harp in a foggy autumn night"),
)
SECONDS, SEED = 60, 1
_HEAD = """# Ten pieces

Each picture shows the waveform, the spectrogram from 40 Hz to 16 kHz, and the score as a piano roll: melody red,
harmony blue, bass violet, drums orange. Lines are bars; letters are sections with their energy. `make music` draws them
again.
"""


def draw() -> None:
    """Writes docs/music.md and its pictures."""
    FOLDER.mkdir(exist_ok=True)
    parts = [_HEAD]
    with tempfile.TemporaryDirectory() as folder:
        for number, (engine, prompt) in enumerate(PIECES, start=1):
            picture = FOLDER / f"{number:02}.png"
            facts = audition(
                prompt,
                Path(folder, "piece.flac"),
                engine,
                SECONDS,
                "creation",
                SEED,
                picture,
                None,
                lambda _share: None,
            )
            parts.append(_section(prompt, facts, picture))
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def _section(prompt: str, facts: dict[str, object], picture: Path) -> str:
    voices = ", ".join(str(voice) for voice in facts["voices"])  # type: ignore[attr-defined]
    return (
        f"## {prompt}\n\nEngine `{facts['engine']}`, {facts['tempo']:g} beats per minute, {facts['key']}, sections "
        f"{facts['sections']}; {voices}.\n\n![Picture of the piece](music/{picture.name})\n"
    )
