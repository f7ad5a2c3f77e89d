"""SIGKILL while audio is imported and while it is removed: no row without audio, and no audio without a row."""

import random
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import bindparam, select, update

from models import organizations, tracks
from models.audio_store import AudioStore
from models.base import new_id, now
from models.db import connection
from models.schema import tracks as table
from ops import audio
from tools.testing import databases
from tools.testing.cli_runner import Shell
from tools.testing.server_process import connected
from tools.testing.service import ALICE, HOME, ROOT

pytestmark = pytest.mark.slow

KILLS, START_SECONDS = 10, 120
FILES, DELETED, LIVE = 60, 2000, 5
NAMES = select(table.c.audio_name).where(table.c.audio_name.is_not(None))
DELETE = update(table).where(table.c.deleted_at.is_(None), table.c.audio_name.not_in(bindparam("live", expanding=True)))
MAINTAIN = """
import sys
from ops import maintenance
maintenance.maintain(sys.argv[1], maintenance.AudioOptions(sys.argv[2], 24, 900))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audio"


@pytest.fixture(params=databases.KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with databases.migrated(request.param, tmp_path) as found, connected(found):
        yield found


def named() -> set[str]:
    """The objects that rows name, deleted or not."""
    return {row.audio_name for row in connection.fetch_all(NAMES)}


def stored(store: AudioStore) -> set[str]:
    return {found.name for found in store.list()}


def kill(words: Sequence[str], environ: dict[str, str], has_begun: Callable[[], bool]) -> bool:
    """Starts a program, and kills it a moment after it has begun; False if it ended before."""
    with subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + START_SECONDS
        while not has_begun() and process.poll() is None:
            assert time.monotonic() < deadline, "it has not begun"
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.02))
        process.kill()
        return process.wait(10) == -signal.SIGKILL


def test_killed_imports(url: str, folder: Path, tmp_path: Path) -> None:
    music = tmp_path / "music"
    _write_tones(music)
    shell = Shell(tmp_path, url)
    given = {"MUSIC_STUDIO_AUDIO_URL": folder.as_uri()}
    words = ("tracks", "import", str(music), "--organization", HOME, "--user", ALICE)
    store, killed = AudioStore(folder.as_uri()), 0
    for _ in range(KILLS):
        before = len(stored(store))

        def has_stored(before: int = before) -> bool:
            return len(stored(store)) > before

        killed += kill(("-m", "cli", *words), shell.environ | given, has_stored)
        assert named() <= stored(store), "a row names audio that is not there"
    assert killed == KILLS
    done = shell.start(*words, **given)
    assert done.returncode == 0, done.stderr
    assert list(audio.find_missing(store)) == []
    audio.clean(store, 0, everything=True)
    assert named() == stored(store)
    assert len(named()) == FILES


def test_killed_removals(url: str, folder: Path, tmp_path: Path) -> None:
    store = AudioStore(folder.as_uri())
    organizations.join(HOME, ALICE)
    live = {_add(store, number) for number in range(LIVE)}
    environ, words = Shell(tmp_path, url).environ, ("-c", MAINTAIN, url, folder.as_uri())
    killed = rounds = 0
    while killed < KILLS and rounds < 5 * KILLS:  # a fast machine removes all of them before some of the kills
        _add_deleted(store, live)
        before, rounds = len(stored(store)), rounds + 1

        def has_removed(before: int = before) -> bool:
            return len(stored(store)) < before

        killed += kill(words, environ, has_removed)
        assert live <= named() <= stored(store), "a row names audio that is not there"
    assert killed == KILLS
    subprocess.run([sys.executable, *words], cwd=ROOT, env=environ, check=True)
    audio.clean(store, 0, everything=True)
    assert named() == stored(store) == live


def _add(store: AudioStore, number: int) -> str:
    audio_of_it = store.write_bytes(HOME, new_id("mtrack_"), "audio/mpeg", b"%d" % number)
    assert tracks.add(HOME, ALICE, title="Tone", duration_ms=1000, audio=audio_of_it) is not None
    return audio_of_it.name


def _add_deleted(store: AudioStore, live: set[str]) -> None:
    """Fills up the audio of tracks that were deleted an hour ago."""
    for number in range(DELETED - len(named() - live)):
        _add(store, number)
    connection.execute(DELETE.values(deleted_at=now() - timedelta(hours=1)), live=sorted(live))


def _write_tones(music: Path) -> None:
    music.mkdir()
    for number in range(FILES):
        with wave.open(str(music / f"{number}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(random.Random(number).randbytes(8000))
