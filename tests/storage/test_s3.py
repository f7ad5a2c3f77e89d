"""The audio store on S3: a real server verifies each signature, stops in the middle, and does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from models import audio_objects, track_audio
from models.audio_store import AudioStore, StoredAudio
from models.exceptions import AudioUnavailable, NoAudio
from ops import audio, audio_backup
from tests.storage.s3_server import BUCKET, S3Server
from tools.testing import databases
from tools.testing.cli_runner import Shell
from tools.testing.server_process import connected
from tools.testing.service import AWAY, HOME, ROOT
from tools.testing.stored import content, read

URL = f"s3://{BUCKET}/studio"
TRACK = "mtrack_0123456789ab"
MIB = 1024 * 1024
CONTENT = bytes(range(256)) * 4000
MAX_GROWTH_MIB = 40
CANARY = "c4naryOfTheTests"

# Writes or reads an object of 50 MB, and prints how much memory that took at most.
MEMORY = """
import asyncio, sys
from pathlib import Path
from models.audio_store import AudioStore, StoredAudio
store = AudioStore(sys.argv[1])
store.require_writable()
def memory():  # the peak in KiB of this program alone; ru_maxrss begins with that of the process which started it
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
before = memory()
if sys.argv[2] == "write":
    stored = store.write_file("org_home1", "mtrack_0123456789ab", "audio/wav", Path(sys.argv[3]))
    print(memory() - before, stored.name)
else:
    async def read():
        return sum([len(piece) async for piece in store.read(sys.argv[3], 0, int(sys.argv[4]))])
    print((memory() - before, asyncio.run(read()), memory() - before)[2])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    started = S3Server(tmp_path_factory.mktemp("s3"))
    yield started
    started.thaw()
    started.kill()


@pytest.fixture(autouse=True)
def variables(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def store() -> Iterator[AudioStore]:
    opened = AudioStore(URL)
    yield opened
    for found in opened.list():
        opened.delete(found.name)


def write(store: AudioStore, content: bytes = CONTENT) -> str:
    return store.write_bytes(HOME, TRACK, "audio/mpeg", content).name


def test_what_is_written_is_read_listed_and_deleted(store: AudioStore, server: S3Server) -> None:
    store.require_writable()
    name, away = write(store), store.write_bytes(AWAY, TRACK, "audio/flac", b"away").name
    assert b"".join(read(store, name, 0, len(CONTENT))) == CONTENT
    assert {(found.name, found.size) for found in store.list()} == {(name, len(CONTENT)), (away, 4)}
    assert [found.name for found in store.list(AWAY)] == [away]
    assert list(store.list("org_nobody")) == []
    assert {str(file).rpartition("/studio/")[2] for file in server.files()} == {name, away}
    store.delete(name)
    store.delete(name)
    assert (store.size(name), store.exists(name), store.size(away)) == (None, False, 4)
    with pytest.raises(NoAudio):
        read(store, name, 0, 5)
    with pytest.raises(NoAudio):
        store.copy(name, AudioStore("memory:///"), "audio/mpeg")


@pytest.mark.parametrize(("start", "end"), [(0, 0), (0, 1), (1023_999, 1024_000), (1, 262_146), (262_143, 800_001)])
def test_a_range_comes_in_pieces(store: AudioStore, start: int, end: int) -> None:
    pieces = read(store, write(store), start, end, 65_536)
    assert b"".join(pieces) == CONTENT[start:end]
    assert all(0 < len(piece) <= 65_536 for piece in pieces)


def test_a_range_past_the_end_is_unavailable(store: AudioStore) -> None:
    name = write(store, b"short")
    for start, end in ((0, 6), (6, 9)):
        with pytest.raises(AudioUnavailable) as failure:
            read(store, name, start, end)
        assert "shorter" in failure.value.reason


def test_an_object_of_several_parts_is_whole(store: AudioStore, tmp_path: Path) -> None:
    source = tmp_path / "long.wav"
    source.write_bytes(CONTENT * 20)
    stored = store.write_file(HOME, TRACK, "audio/wav", source)
    assert stored.size == len(CONTENT) * 20 > 2 * audio_objects.PART_BYTES
    assert b"".join(read(store, stored.name, 0, stored.size)) == CONTENT * 20
    copied = AudioStore((tmp_path / "copy").as_uri())
    assert store.copy(stored.name, copied, "audio/wav") == stored.size
    assert (tmp_path / "copy" / stored.name).read_bytes() == CONTENT * 20
    assert copied.copy(stored.name, store, "audio/wav") == stored.size


def test_memory_does_not_grow_with_the_object(store: AudioStore, tmp_path: Path) -> None:
    source = tmp_path / "50.wav"
    with source.open("wb") as file:
        file.truncate(50_000_000)
    grown, name = _memory(URL, "write", str(source)).split()
    assert int(grown) < MAX_GROWTH_MIB * 1024
    assert store.size(name) == 50_000_000
    assert int(_memory(URL, "read", name, "50000000")) < MAX_GROWTH_MIB * 1024


def _memory(*words: str) -> str:
    done = subprocess.run([sys.executable, "-c", MEMORY, *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_signed_url_gives_the_object_and_no_other(store: AudioStore) -> None:
    name, other = write(store), write(store, b"other")
    url = store.signed_url(name, 60)
    with httpx.Client(trust_env=False) as client:
        answer = client.get(url)
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert answer.headers["content-type"] == "audio/mpeg"
        assert client.get(url, headers={"Range": "bytes=5-9"}).content == CONTENT[5:10]
        assert client.get(url.replace(name, other)).status_code == 403
        assert client.get(url.partition("?")[0]).status_code == 403
        assert client.delete(url).status_code == 403


USES: dict[str, Callable[[AudioStore, str], object]] = {
    "write": lambda store, _name: write(store, b"sound"),
    "read": lambda store, name: read(store, name, 0, 5),
    "copy": lambda store, name: store.copy(name, AudioStore("memory:///"), "audio/mpeg"),
    "delete": lambda store, name: store.delete(name),
    "list": lambda store, _name: list(store.list()),
    "size": lambda store, name: store.size(name),
    "probe": lambda store, _name: store.require_writable(),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("variable", "value", "url"),
    [
        ("AWS_SECRET_ACCESS_KEY", CANARY, URL),
        ("AWS_ACCESS_KEY_ID", "nobody", URL),
        ("AWS_REGION", "us-east-1", "s3://nowhere/studio"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", URL),
    ],
    ids=["wrong secret", "unknown key", "no bucket", "no server"],
)
def test_a_wrong_setting_fails_at_every_use(
    store: AudioStore, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, url: str, use: str
) -> None:
    name = write(store)
    with monkeypatch.context() as patch:
        patch.setenv(variable, value)
        wrong = AudioStore(url)
        with pytest.raises(AudioUnavailable) as failure:
            USES[use](wrong, name)
    assert CANARY not in failure.value.reason
    assert "://" not in failure.value.reason
    assert store.size(name) == len(CONTENT)


def test_a_wrong_secret_is_one_clear_sentence(tmp_path: Path) -> None:
    with databases.migrated("sqlite", tmp_path) as url:
        shell = Shell(tmp_path, url)
        given = {"MUSIC_STUDIO_AUDIO_URL": URL}
        assert shell.run("audio", "check", **given).returncode == 0
        for words in (("audio", "check"), ("serve", "--port", "0")):
            sentence = shell.error(*words, **given, AWS_SECRET_ACCESS_KEY=CANARY)
            assert sentence == (
                "music-studio: The audio store cannot be used: "
                "it refuses the signature, so AWS_SECRET_ACCESS_KEY is wrong.\n"
            )
        settings = shell.run("settings", **given, AWS_SECRET_ACCESS_KEY=CANARY)
        assert URL in settings.stdout
        assert CANARY not in settings.stdout


def test_a_server_that_is_killed_while_it_is_read(store: AudioStore, server: S3Server) -> None:
    name = write(store)

    async def pieces() -> list[bytes]:
        reader, got = store.read(name, 0, len(CONTENT)), list[bytes]()
        got.append(content(await anext(reader)))
        server.kill()
        with pytest.raises(AudioUnavailable):
            await anext(reader)
        return got

    try:
        assert asyncio.run(pieces()) == [CONTENT[: 256 * 1024]]
    finally:
        server.start()
    assert b"".join(read(store, name, 256 * 1024, len(CONTENT))) == CONTENT[256 * 1024 :], "a reader goes on afterwards"


def test_a_server_that_is_killed_while_it_is_written(store: AudioStore, server: S3Server) -> None:
    class Source(contextlib.AbstractContextManager["Source"]):
        """Kills the server after two parts."""

        read_bytes = 0

        def read(self, size: int) -> bytes:
            self.read_bytes += size
            if self.read_bytes > 3 * audio_objects.PART_BYTES:
                server.kill()
            return b"a" * size if self.read_bytes <= 5 * audio_objects.PART_BYTES else b""

        def __exit__(self, *_failure: object) -> None:
            return None

    class Place(type(Path())):  # type: ignore[misc] # a path whose file ends badly
        def open(self, *_args: object, **_options: object) -> Source:
            return Source()

    try:
        with pytest.raises(AudioUnavailable):
            store.write_file(HOME, TRACK, "audio/wav", Place("source.wav"))
    finally:
        server.start()
    assert list(store.list()) == []


def test_a_server_that_does_not_answer(store: AudioStore, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    name = write(store)
    monkeypatch.setattr(audio_objects, "READ_SECONDS", 0.5)
    server.freeze()
    try:
        with pytest.raises(AudioUnavailable) as failure:
            read(store, name, 0, 5)
    finally:
        server.thaw()
    assert failure.value.reason == "it does not answer"
    assert read(store, name, 0, 5) == [CONTENT[:5]]


def test_rows_and_objects_are_compared_and_backed_up(store: AudioStore, tmp_path: Path) -> None:
    """With more objects than S3 lists in one answer."""
    with databases.migrated("sqlite", tmp_path) as url, connected(url):
        names = [write(store, b"sound") for _ in range(1010)]
        found = audio.check(store, 0)
        assert (found.tracks, found.unnamed, found.unnamed_bytes) == (0, 1010, 5050)
        rows = [track_audio.TrackAudio(HOME, TRACK, StoredAudio(name, 5, "audio/mpeg")) for name in names[:3]]
        kept = tmp_path / "kept"
        copied = audio_backup.save(URL, kept, rows, lambda _done, _total: None)
        assert (copied.copied, copied.already_there) == (3, 0)
        assert audio_backup.save(URL, kept, rows, lambda _done, _total: None).already_there == 3
        assert all((kept / name).read_bytes() == b"sound" for name in names[:3])
        assert audio.clean(store, 0, everything=True).deleted == 1010
        assert list(store.list()) == []


def test_the_documentation_names_the_variables() -> None:
    manual = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        assert re.search(f"`{name}`", manual)
