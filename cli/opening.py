"""Opening the database for a command that serves, and the demo beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import settings


@contextmanager
def opened_database(chosen: settings.Settings) -> Iterator[None]:
    """Opens the database of the settings, which must have the newest tables. Raises CommandError."""
    from ops import database_setup

    options: dict[str, Any] = {
        "prepared_statements": chosen.prepared_statements,
        "key_cache_seconds": chosen.key_cache_seconds,
    }
    with database_setup.open_database(chosen.database_url, **options):
        yield


def add_demo_audio(chosen: settings.Settings) -> None:
    """Gives the demo's tracks the audio that they lack, or says why they stay without."""
    from ops import audio, demo_audio, output

    store = audio.open_writable(settings.audio_url(chosen))
    with output.progress_bar("Making the demo's music") as update:
        reason = demo_audio.add(chosen.demo_audio, store, update)
    if reason:
        output.echo(f"The demo has no audio: {reason}.", err=True)


def demo_file(chosen: settings.Settings) -> Path:
    """The file that keeps the keys of the demo between two starts."""
    from ops import database_setup

    return database_setup.folder(chosen.database_url, Path("var")) / "demo-keys.json"
