"""Organizations are exported and deleted with the rows of every table and their audio; tables cannot be forgotten."""

import base64
import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, LargeBinary, Table, select

from models import collection_tracks, collections, keys, library, organization_rows, organizations, tracks
from models.audio_store import AudioStore
from models.base import metadata
from models.db import connection, engines
from tests.test_backup import _populate as populate
from tools.testing import databases
from tools.testing.callers import caller
from tools.testing.cli_runner import Shell
from tools.testing.query_plans import plan
from tools.testing.server_process import connected
from tools.testing.service import HOME

OTHER = "org_other1"
MALLORY = caller("mallory", OTHER)
# They hold for every organization.
OF_NOBODY = {"engine_settings", "workers"}
# Bytes that are no secret: digests of audio and of requests, waveforms, and a stored answer.
EXPORTED_BYTES = {
    "focus_sessions.fingerprint", "generations.fingerprint", "idempotency_keys.body", "idempotency_keys.fingerprint",
    "tracks.source_digest", "tracks.waveform",
}  # fmt: skip
AUDIO = b"a piece of music" * 1000


@pytest.fixture
def home(shell: Shell) -> Shell:
    """A database with a row of one organization in every table, a track with audio, and another organization."""
    shell.text("migrate")
    populate(shell.url)
    shell.environ["MUSIC_STUDIO_AUDIO_URL"] = (shell.folder / "audio").as_uri()
    store = AudioStore(shell.environ["MUSIC_STUDIO_AUDIO_URL"])
    with connected(shell.url):
        for organization, user in ((HOME, "alice"), (OTHER, "mallory")):
            organizations.join(organization, user)
            track_id = tracks.new_track_id()
            stored = store.write_bytes(organization, track_id, "audio/mpeg", AUDIO)
            assert tracks.add(organization, user, title="Wind", audio=stored, track_id=track_id)
        (saved,) = [track for track in tracks.list_all(HOME) if track.title == "Wind"]
        library.put(OTHER, "mallory", saved)
        mine = collections.create(MALLORY, OTHER, name="Mine")
        (own,) = tracks.list_all(OTHER)
        collection_tracks.add(MALLORY, OTHER, mine.id, own.id, None)
    return shell


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with connected(url):
        found = {name: connection.fetch_all(select(*table.c)) for name, table in metadata.tables.items()}
    return {name: sorted((tuple(row) for row in some), key=repr) for name, some in found.items()}


def of_home(table: Table, some: list[tuple[object, ...]]) -> int:
    place = list(table.c.keys()).index("id" if table.name == "organizations" else "organization_id")
    return sum(row[place] == HOME for row in some)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_no_table_is_forgotten() -> None:
    names = [table.name for table in organization_rows.tables()]
    assert len(names) == len(set(names))
    assert {*names} | OF_NOBODY == metadata.tables.keys(), (
        "An export and a deletion take the tables that have `organization_id`. A table without it is not of an "
        "organization (add it to OF_NOBODY), or needs the column."
    )


def test_no_secret_is_exported() -> None:
    columns = [column for table in metadata.tables.values() for column in table.c]
    secret = {f"{column.table.name}.{column.name}" for column in columns if column.info.get("secret")}
    binary = {f"{column.table.name}.{column.name}" for column in columns if isinstance(column.type, LargeBinary)}
    assert binary - secret == EXPORTED_BYTES, (
        'A digest of a secret is never exported: write `info={"secret": True}` in its Column. Other bytes stand in '
        "EXPORTED_BYTES."
    )
    words = ("digest", "hash", "secret", "token", "pepper")
    suspicious = {f"{one.table.name}.{one.name}" for one in columns if any(word in one.name for word in words)}
    assert suspicious - secret == {"tracks.source_digest"}


def test_an_export_has_every_row_and_all_audio_with_their_digests(home: Shell, tmp_path: Path) -> None:
    folder, before = tmp_path / "copy", rows(home.url)
    facts = home.json("organizations", "export", HOME, str(folder))
    manifest = json.loads((folder / "manifest.json").read_text())
    written = {each["file"]: each for each in manifest["files"]}
    assert set(written) == {f"rows/{table.name}.jsonl" for table in organization_rows.tables()} | {"audio.jsonl"}
    for table in organization_rows.tables():
        found = lines(folder / "rows" / f"{table.name}.jsonl")
        assert len(found) == of_home(table, before[table.name]) > 0, table.name
        assert written[f"rows/{table.name}.jsonl"]["lines"] == len(found)
        secret = {column.name for column in table.c if column.info.get("secret")}
        assert all(row.keys() == set(table.c.keys()) - secret for row in found)
    assert all(each["sha256"] == _digest(folder / name) for name, each in written.items())
    (audio,) = lines(folder / "audio.jsonl")
    assert (folder / audio["file"]).read_bytes() == AUDIO
    assert (audio["bytes"], audio["sha256"]) == (len(AUDIO), hashlib.sha256(AUDIO).hexdigest())
    assert (facts["audio_files"], facts["audio_bytes"], facts["missing_audio"]) == (1, len(AUDIO), [])
    assert facts["rows"] == sum(each["lines"] for name, each in written.items() if name.startswith("rows/"))
    everything = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    with connected(home.url):
        digests = [row.digest for row in connection.fetch_all(select(keys.api_keys.c.digest))]
    assert digests
    assert not [one for one in digests if base64.b64encode(one) in everything or one.hex().encode() in everything]
    assert OTHER.encode() not in everything
    assert rows(home.url) == before


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_an_export_reads_further_batches(home: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(organization_rows, "BATCH_ROWS", 2)
    with connected(home.url):
        titles = [f"{number:02}" for number in range(9)]
        assert all(tracks.add(HOME, "alice", title=title) for title in titles)
        for _ in range(4):
            keys.make(HOME, "alice", ["music:read"], pepper=b"x")
    home.text("organizations", "export", HOME, str(tmp_path / "copy"))
    found = [row["title"] for row in lines(tmp_path / "copy" / "rows" / "tracks.jsonl")]
    assert sorted(found) == sorted([*titles, "Rain", "Wind"])
    ids = [row["id"] for row in lines(tmp_path / "copy" / "rows" / "api_keys.jsonl")]
    assert len(ids) == len(set(ids)) == 5


def test_missing_audio_is_named(home: Shell, tmp_path: Path) -> None:
    (lost,) = (home.folder / "audio" / HOME).iterdir()
    lost.unlink()
    facts = home.json("organizations", "export", HOME, str(tmp_path / "copy"))
    assert (facts["audio_files"], len(facts["missing_audio"])) == (0, 1)
    assert json.loads((tmp_path / "copy" / "manifest.json").read_text())["missing_audio"] == facts["missing_audio"]


def test_an_export_needs_an_empty_folder(home: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "letter.txt").write_text("a letter to my aunt", encoding="utf-8")
    assert "is not an empty folder" in home.error("organizations", "export", HOME, str(folder))
    assert "is not an empty folder" in home.error("organizations", "export", HOME, str(folder / "letter.txt"))
    assert [file.name for file in folder.iterdir()] == ["letter.txt"]
    assert "There is no organization" in home.error("organizations", "export", "org_none", str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    (folder / "letter.txt").unlink()
    assert home.json("organizations", "export", HOME, str(folder))["rows"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda sent: sent.name)
def test_an_export_that_was_stopped_has_no_manifest(sqlite: Shell, tmp_path: Path, sent: signal.Signals) -> None:
    sqlite.text("migrate")
    _many_tracks(sqlite, 1500)
    folder = tmp_path / "copy"
    words = [sys.executable, "-m", "cli", "organizations", "export", HOME, str(folder)]
    with subprocess.Popen(words, cwd=tmp_path, env=sqlite.environ, stderr=subprocess.PIPE) as process:
        while not list(folder.rglob("*.mp3")) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(sent)
        told = process.communicate()[1].decode()
    assert process.returncode != 0
    assert "Traceback" not in told
    assert not (folder / "manifest.json").exists()
    if sent is signal.SIGINT:
        assert f"The export in {folder} is not complete: delete the folder, and export again." in told
    assert "is not an empty folder" in sqlite.error("organizations", "export", HOME, str(folder))


def _many_tracks(shell: Shell, count: int) -> None:
    store = AudioStore((shell.folder / "audio").as_uri())
    with connected(shell.url):
        organizations.join(HOME, "alice")
        track_id = tracks.new_track_id()
        stored = store.write_bytes(HOME, track_id, "audio/mpeg", AUDIO)
        _add_all(stored, count)


@connection.transaction
def _add_all(stored: Any, count: int) -> None:
    for _ in range(count):
        tracks.add(HOME, "alice", title="Wind", audio=stored)


def test_a_deletion_leaves_nothing_of_the_organization_and_all_of_the_others(home: Shell) -> None:
    before, store = rows(home.url), home.folder / "audio"
    facts = home.json("organizations", "delete", HOME, "--yes", HOME)
    after = rows(home.url)
    assert not [(name, row) for name, some in after.items() for row in some if HOME in row]
    for name, table in metadata.tables.items():
        kept = [row for row in before[name] if HOME not in row]
        assert after[name] == kept, table.name
        assert kept or name not in ("organizations", "memberships", "tracks", "collections", "collection_tracks")
    event_of_the_revoked_key = token_of_the_revoked_link = 1
    gone = sum(len(before[name]) - len(after[name]) for name in before)
    assert facts["rows"] == gone + event_of_the_revoked_key - token_of_the_revoked_link
    assert (facts["audio_files"], facts["audio_bytes"]) == (1, len(AUDIO))
    assert [file.parent.name for file in store.rglob("*") if file.is_file()] == [OTHER]
    assert "There is no organization" in home.error("organizations", "delete", HOME, "--yes", HOME)
    home.text("members", "add", HOME, "alice")
    assert home.json("tracks", "list", "--organization", HOME) == []


def test_a_deletion_goes_in_batches(home: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(organization_rows, "BATCH_ROWS", 2)
    with connected(home.url):
        assert all(tracks.add(HOME, "alice", title="More") for _ in range(5))
        counts = list(organization_rows.delete_rows(metadata.tables["library_entries"], HOME))
        assert counts == [1, 1], "the entry of the organization, and that of another one for its track"
    home.text("organizations", "delete", HOME, "--yes", HOME)
    assert not [row for some in rows(home.url).values() for row in some if HOME in row]


def test_a_deletion_asks_for_the_name_again(home: Shell) -> None:
    before = rows(home.url)
    assert "Nobody can be asked" in home.error("organizations", "delete", HOME)
    assert f"That is not {HOME}: nothing was deleted." in home.error("organizations", "delete", HOME, "--yes", OTHER)
    assert "There is no organization" in home.error("organizations", "delete", "org_none", "--yes", "org_none")
    assert rows(home.url) == before


def test_a_deletion_that_was_interrupted_is_repeated(home: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_store: AudioStore, _organization_id: str) -> tuple[int, int]:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("ops.audio.remove_all", stop)
        assert "Input/output error" in home.error("organizations", "delete", HOME, "--yes", HOME)
    assert len(list((home.folder / "audio" / HOME).iterdir())) == 1
    assert home.json("organizations", "delete", HOME, "--yes", HOME)["audio_files"] == 1
    assert not [row for some in rows(home.url).values() for row in some if HOME in row]


@pytest.fixture(params=databases.KINDS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    with databases.migrated(request.param, tmp_path) as url:
        engine = engines.create_pooled(url, pool_size=1, statement_timeout_ms=engines.STATEMENT_MS)
        with engine.connect() as one:
            if one.dialect.name == "postgresql":
                one.exec_driver_sql("SET enable_seqscan = off")
            yield one
        engine.dispose()


def test_rows_of_an_organization_are_found_by_an_index(opened: Connection) -> None:
    for table in organization_rows.tables():
        if table.name in ("collection_tracks", "organizations"):  # found by their collections, and by their own key
            continue
        assert organization_rows.order(table)[0].name == "organization_id", (
            f"{table.name} needs an index that begins so"
        )
        for statement in (
            organization_rows.read_batch(table, first=True),
            organization_rows.delete_batch(table, table.c.organization_id),
        ):
            found = "\n".join(plan(opened, statement))
            assert "SCAN " + table.name not in found, found
            assert f"Seq Scan on {table.name}" not in found, found
