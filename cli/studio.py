"""The commands for the engines that make music: audition."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, named_group, report
from ops import output
from ops.errors import CommandError

group = named_group("Try the engines that make music.")

SUFFIXES = (".mp3", ".flac", ".wav")
MOST_SECONDS = 600


def _file(path: Path) -> Path:
    if path.suffix not in SUFFIXES:
        raise typer.BadParameter(f"the name must end in {', '.join(SUFFIXES)}")
    return path


@group.command()
def audition(
    prompt: Annotated[str, typer.Argument(help='What to play, such as "rain on a window, 70 bpm, piano".')],
    out: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", callback=_file, help="Audio file: .mp3, .flac or .wav.")
    ] = Path("audition.mp3"),
    engine: Annotated[str, typer.Option(help="Engine: studio or drift.")] = "studio",
    seconds: Annotated[int, typer.Option(min=1, max=MOST_SECONDS, help="Length in seconds.")] = 30,
    focus: Annotated[bool, typer.Option("--focus", help="Make a segment of a focus session.")] = False,
    seed: Annotated[
        int | None, typer.Option(help="Number that makes the piece repeatable; random if not given.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PNG with waveform, spectrogram and score.")
    ] = None,
    midi: Annotated[Path | None, typer.Option(metavar="FILE", help="MIDI file with the score.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make one piece of music from a sentence, without a server.

    Nothing is stored but the files. The same sentence and seed give the same piece.
    """
    try:
        from studio import auditions
    except ImportError as missing:
        raise CommandError(f"The engines need the package {missing.name}: install music-studio[studio].") from None

    if engine not in auditions.ENGINES:
        raise CommandError(f"There is no engine {engine!r}: choose {' or '.join(auditions.ENGINES)}.")
    seed = secrets.randbelow(2**31) if seed is None else seed
    with output.progress_bar("Making music") as update:
        facts = auditions.audition(
            prompt, out, engine, seconds, "focus" if focus else "creation", seed, picture, midi,
            lambda share: update(round(100 * share), 100),
        )  # fmt: skip
    sentence = f"{out}: {facts['seconds']:g} s, {facts['tempo']:g} bpm, {facts['key']}, seed {seed}."
    report(as_json, facts, sentence)
