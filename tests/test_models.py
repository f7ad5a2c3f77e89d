"""Models on both databases: rows, access, races, idempotency, and database outages."""

import asyncio
import contextvars
import random
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from models import collection_tracks, collections, idempotency, keys, organizations, schema, tracks
from models.access import Caller
from models.db import connection as database
from models.db import engines, migrate
from models.db.context import current_database
from models.db.database import Database
from models.exceptions import (
    AccessDenied,
    CollectionFull,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    InvalidValue,
    NotFound,
    Unavailable,
    VersionMismatch,
)
from tools.testing import databases
from tools.testing.callers import ALICE, ELSEWHERE, HOME, MALLORY

R = TypeVar("R")

NO_COLLECTION = "mcoll_000000000000"
NO_TRACK = "mtrack_000000000000"
MAX_SECONDS = 2.5


@contextmanager
def opened(url: str, pool_size: int = 10) -> Iterator[Database]:
    """Opens a migrated database, and adds three memberships."""
    with Database(url, pool_size=pool_size) as found:
        for organization, user in ((HOME, "alice"), (ELSEWHERE, "alice"), (HOME, "mallory")):
            organizations.join(organization, user)
        yield found


def ready() -> bool:
    """Whether the current database says that it is ready; raises Unavailable otherwise."""
    database = current_database.get()

    async def require() -> None:
        try:
            await database.require_ready()
        finally:
            database.close_loop_connections()
            await asyncio.sleep(0.02)

    asyncio.run(require())
    return True


@pytest.fixture(params=databases.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with databases.migrated(request.param, tmp_path) as url, opened(url):
        yield url


def new_track(organization: str = HOME) -> str:
    found = tracks.add(organization, "alice", title="Rain")
    assert found is not None
    return found.id


def filled(count: int) -> tuple[str, list[str]]:
    found = collections.create(ALICE, HOME, name="Focus").id
    ids = [new_track() for _ in range(count)]
    for track in ids:
        collection_tracks.add(ALICE, HOME, found, track, None)
    return found, ids


def order_of(collection: str) -> list[str]:
    page = collection_tracks.list_page(ALICE, HOME, collection, 500, 0)[1]
    return [row.track_id for row in page]


def at_once(count: int, work: Callable[[int], object]) -> list[object]:
    """Runs work(0), work(1), ... in threads on the current database; returns results and exceptions."""
    gate = threading.Barrier(count)

    def one(number: int) -> object:
        gate.wait()
        try:
            return work(number)
        except Exception as error:  # noqa: BLE001 - the tests look at the exceptions
            return error

    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(contextvars.copy_context().run, one, number) for number in range(count)]
        return [call.result() for call in calls]


def assert_unavailable_in_time(work: Callable[[], object], seconds: float = MAX_SECONDS) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable) as raised:
        work()
    assert time.monotonic() - started <= seconds
    assert raised.value.retry_after >= 1


def retried(work: Callable[[], R], seconds: float = 2.0) -> R:
    """Retries the work after Unavailable, for so many seconds; returns its result."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(Unavailable):
            return work()
        time.sleep(0.05)
    return work()


def test_created_collection_is_read_back_unchanged(store: str) -> None:
    made = collections.create(ALICE, HOME, name="Focus", description="\ttab", cover_image_url="https://a.example/b")
    assert (made.track_count, made.version, made.cover_track_id) == (0, 1, None)
    assert made.created_at == made.updated_at
    assert made.created_at.tzinfo is UTC
    assert collections.get(ALICE, HOME, made.id) == made


def test_timestamps_keep_microseconds_in_utc(store: str) -> None:
    moment = datetime(2026, 6, 28, 10, 30, 0, 120, tzinfo=UTC)
    elsewhere = moment.astimezone(tz=None)
    made, _ = keys.make(HOME, "alice", ["music:read"], expires_at=elsewhere, pepper=b"pepper")
    assert made.expires_at == moment
    assert made.expires_at.tzinfo is UTC


def test_collection_pages_are_newest_first_and_contiguous(store: str) -> None:
    made = [collections.create(ALICE, HOME, name=f"{number}").id for number in range(7)]
    pages = [collections.list_page(ALICE, HOME, 3, offset) for offset in (0, 3, 6, 9)]
    assert [row.id for page in pages for row in page] == made[::-1]


def test_collections_with_equal_timestamps_are_ordered_by_id(store: str) -> None:
    made = [collections.create(ALICE, HOME, name="same").id for _ in range(5)]
    database.execute(text("UPDATE collections SET created_at = (SELECT min(created_at) FROM collections)"))
    assert [row.id for row in collections.list_page(ALICE, HOME, 9, 0)] == sorted(made, reverse=True)


def test_foreign_collection_is_not_found_by_every_operation(store: str) -> None:
    theirs, (track, *_) = filled(2)
    operations: list[Callable[[Caller, str, str], object]] = [
        collections.get,
        lambda who, org, found: collections.update(who, org, found, {"name": "x"}, None),
        lambda who, org, found: collections.update(who, org, found, {"cover_track_id": NO_TRACK}, 99),
        lambda who, org, found: collections.delete(who, org, found, 99),
        lambda who, org, found: collection_tracks.list_page(who, org, found, 10, 0),
        lambda who, org, found: collection_tracks.add(who, org, found, track, 99),
        lambda who, org, found: collection_tracks.add(who, org, found, NO_TRACK, None),
        lambda who, org, found: collection_tracks.remove(who, org, found, track, 99),
        lambda who, org, found: collection_tracks.reorder(who, org, found, [track], 99),
    ]
    strangers = [
        (MALLORY, HOME, theirs),
        (MALLORY, HOME, NO_COLLECTION),
        (MALLORY, ELSEWHERE, theirs),
        (ALICE, ELSEWHERE, theirs),
    ]
    for operation in operations:
        for where in strangers:
            with pytest.raises(NotFound) as raised:
                operation(*where)
            assert raised.value.details == {"collection_id": where[2]}
            assert raised.value.system_message == "Music collection not found or not owned by caller"
    assert collections.get(ALICE, HOME, theirs).version == 3
    assert collections.list_page(MALLORY, HOME, 10, 0) == []


def test_a_foreign_organization_is_denied_whether_or_not_it_exists(store: str) -> None:
    for organization in (ELSEWHERE, "org_never"):
        with pytest.raises(AccessDenied):
            collections.list_page(MALLORY, organization, 10, 0)
        with pytest.raises(AccessDenied):
            collections.create(MALLORY, organization, name="x")


def test_update_changes_only_the_given_fields(store: str) -> None:
    cover = new_track()
    made = collections.create(ALICE, HOME, name="Focus", description="old", cover_track_id=cover)
    changed = collections.update(ALICE, HOME, made.id, {"name": "Rest", "description": None}, made.version)
    assert changed == made._replace(name="Rest", description=None, version=2, updated_at=changed.updated_at)
    assert changed.updated_at > made.updated_at


@pytest.mark.parametrize("changes", [{}, {"name": "Focus"}, {"description": None, "cover_track_id": None}])
def test_update_without_changes_keeps_version_and_timestamp(store: str, changes: dict[str, str | None]) -> None:
    made = collections.create(ALICE, HOME, name="Focus")
    assert collections.update(ALICE, HOME, made.id, changes, None) == made
    assert collections.update(ALICE, HOME, made.id, changes, 1) == made
    with pytest.raises(VersionMismatch):
        collections.update(ALICE, HOME, made.id, changes, 2)


def test_cover_must_be_a_track_of_the_organization(store: str) -> None:
    made = collections.create(ALICE, HOME, name="Focus")
    for cover in (NO_TRACK, new_track(ELSEWHERE)):
        with pytest.raises(InvalidValue) as raised:
            collections.update(ALICE, HOME, made.id, {"name": "Rest", "cover_track_id": cover}, None)
        assert raised.value.details["errors"][0]["pointer"] == "/cover_track_id"  # type: ignore[index]
        with pytest.raises(InvalidValue):
            collections.create(ALICE, HOME, name="Focus", cover_track_id=cover)
    assert collections.get(ALICE, HOME, made.id) == made


def test_deleted_collection_is_not_found_and_its_tracks_remain(store: str) -> None:
    found, ids = filled(2)
    with pytest.raises(VersionMismatch):
        collections.delete(ALICE, HOME, found, 1)
    collections.delete(ALICE, HOME, found, 3)
    for again in (collections.get, lambda who, org, found: collections.delete(who, org, found, None)):
        with pytest.raises(NotFound):
            again(ALICE, HOME, found)
    assert collections.list_page(ALICE, HOME, 10, 0) == []
    assert {track.id for track in tracks.list_all(HOME)} == set(ids)


def test_adding_a_member_again_changes_nothing(store: str) -> None:
    found, ids = filled(3)
    before = collections.get(ALICE, HOME, found)
    collection_tracks.add(ALICE, HOME, found, ids[0], before.version)
    assert collections.get(ALICE, HOME, found) == before
    assert (before.track_count, before.version) == (3, 4)
    assert before.updated_at > before.created_at
    assert order_of(found) == ids


def test_a_track_of_another_organization_cannot_be_added(store: str) -> None:
    found, _ = filled(0)
    for track in (NO_TRACK, new_track(ELSEWHERE)):
        with pytest.raises(NotFound, match="Track not found in this organization") as raised:
            collection_tracks.add(ALICE, HOME, found, track, None)
        assert raised.value.details == {"track_id": track}
    with pytest.raises(VersionMismatch):
        collection_tracks.add(ALICE, HOME, found, NO_TRACK, 7)


def test_adding_to_a_full_collection_raises_collection_full(store: str) -> None:
    found, ids = filled(1)
    database.execute(text("UPDATE collections SET track_count = 10000"))
    collection_tracks.add(ALICE, HOME, found, ids[0], None)
    with pytest.raises(CollectionFull):
        collection_tracks.add(ALICE, HOME, found, new_track(), None)
    with pytest.raises(NotFound):
        collection_tracks.add(ALICE, HOME, found, NO_TRACK, None)


def test_removing_keeps_positions_dense_and_is_idempotent(store: str) -> None:
    found, ids = filled(3)
    collection_tracks.remove(ALICE, HOME, found, ids[1], 4)
    after = collections.get(ALICE, HOME, found)
    collection_tracks.remove(ALICE, HOME, found, ids[1], 5)
    assert order_of(found) == [ids[0], ids[2]]
    assert (after.track_count, after.version) == (2, 5)
    assert collections.get(ALICE, HOME, found) == after


def test_track_pages_are_contiguous(store: str) -> None:
    found, ids = filled(5)
    pages = [collection_tracks.list_page(ALICE, HOME, found, 2, offset) for offset in (0, 2, 4, 6)]
    assert [version for version, _ in pages] == [6] * 4
    assert [row.track_id for _, page in pages for row in page] == ids


def test_reorder_puts_listed_tracks_first_and_ignores_non_members(store: str) -> None:
    found, ids = filled(5)
    collection_tracks.reorder(ALICE, HOME, found, [NO_TRACK, ids[4], new_track(), ids[1]], 6)
    assert order_of(found) == [ids[4], ids[1], ids[0], ids[2], ids[3]]
    after = collections.get(ALICE, HOME, found)
    for same in ([], [NO_TRACK], [ids[4]], [ids[4], ids[1], ids[0]], order_of(found)):
        collection_tracks.reorder(ALICE, HOME, found, same, None)
    assert collections.get(ALICE, HOME, found) == after
    assert (after.version, after.track_count) == (7, 5)
    with pytest.raises(InvalidValue):
        collection_tracks.reorder(ALICE, HOME, found, [ids[0], ids[0]], None)
    with pytest.raises(VersionMismatch):
        collection_tracks.reorder(ALICE, HOME, found, ids, 6)


def test_repeated_reorders_match_the_specification(store: str) -> None:
    found, expected = filled(12)
    chance = random.Random(7)
    for _ in range(60):
        listed = chance.sample(expected, chance.randint(0, 12))
        collection_tracks.reorder(ALICE, HOME, found, [*listed, NO_TRACK], None)
        expected = listed + [track for track in expected if track not in listed]
        assert order_of(found) == expected


def test_moving_one_track_writes_one_row(store: str) -> None:
    found, ids = filled(20)
    before = ranks()
    collection_tracks.reorder(ALICE, HOME, found, [ids[17]], None)
    assert {track for track, rank in ranks().items() if rank != before[track]} == {ids[17]}


def ranks() -> dict[str, int]:
    return {row.track_id: row.rank for row in database.fetch_all(select(schema.collection_tracks))}


@pytest.mark.slow
def test_reorder_moves_10000_tracks(store: str) -> None:
    found, (pattern, *_) = filled(1)
    ids = [pattern, *(f"mtrack_{number:012x}" for number in range(1, collection_tracks.MAX_TRACKS))]
    _multiply(found, pattern, ids[1:])
    chance = random.Random(1)
    for _ in range(2):
        chance.shuffle(ids)
        collection_tracks.reorder(ALICE, HOME, found, ids, None)
    assert order_of(found) == ids[:500]
    assert collections.get(ALICE, HOME, found).track_count == len(ids)


@database.transaction
def _multiply(found: str, pattern: str, ids: list[str]) -> None:
    """Inserts copies of a track with other ids."""
    for table, column in ((schema.tracks, "id"), (schema.collection_tracks, "track_id")):
        row = database.fetch_one(select(table).where(table.c[column] == pattern))
        assert row is not None
        database.execute_many(insert(table), [row._asdict() | {column: each} for each in ids])
    database.execute(text("UPDATE collections SET track_count = 10000"))


def test_640_concurrent_moves_by_16_writers_succeed(store: str) -> None:
    with Database(store, pool_size=16):
        _move_by_many()


def _move_by_many() -> None:
    found, ids = filled(30)

    def move(number: int) -> int:
        chance = random.Random(number)
        for _ in range(40):
            listed = order_of(found)
            listed.insert(chance.randrange(30), listed.pop(chance.randrange(30)))
            collection_tracks.reorder(ALICE, HOME, found, listed, None)
        return 40

    assert at_once(16, move) == [40] * 16
    assert sorted(order_of(found)) == sorted(ids)
    assert len(database.fetch_all(text("SELECT DISTINCT rank FROM collection_tracks"))) == 30


def test_track_count_equals_members_after_concurrent_changes(store: str) -> None:
    found, ids = filled(6)

    def stir(number: int) -> None:
        chance = random.Random(number)
        for _ in range(25):
            effect = chance.choice([collection_tracks.add, collection_tracks.remove])
            effect(ALICE, HOME, found, chance.choice(ids), None)

    assert at_once(8, stir) == [None] * 8
    assert collections.get(ALICE, HOME, found).track_count == len(order_of(found))


def test_one_of_24_updates_of_one_version_succeeds(store: str) -> None:
    made = collections.create(ALICE, HOME, name="0")
    for version in range(1, 6):
        responses = at_once(24, lambda n, v=version: collections.update(ALICE, HOME, made.id, {"name": f"{v}.{n}"}, v))  # type: ignore[misc]
        winners = [response for response in responses if isinstance(response, collections.Collection)]
        assert len(winners) == 1
        assert sum(isinstance(response, VersionMismatch) for response in responses) == 23
        assert collections.get(ALICE, HOME, made.id) == winners[0]


def test_deadlocked_transactions_both_succeed(store: str) -> None:
    first, second = filled(1)[0], filled(1)[0]
    barrier, runs = threading.Barrier(2), [0, 0]

    @database.transaction
    def both(number: int) -> None:
        runs[number] += 1
        one, other = (first, second) if number else (second, first)
        collections.lock(ALICE, HOME, one, None)
        if database.is_postgres() and runs[number] == 1:
            barrier.wait()
        collections.lock(ALICE, HOME, other, None)

    assert at_once(2, both) == [None, None]
    assert sorted(runs) == ([1, 2] if database.is_postgres() else [1, 1])


def test_transaction_is_rolled_back_on_error(store: str) -> None:
    @database.transaction
    def half() -> None:
        collections.create(ALICE, HOME, name="lost")
        raise NotFound("on purpose")

    with pytest.raises(NotFound):
        half()
    assert collections.list_page(ALICE, HOME, 10, 0) == []
    assert not database.in_transaction()


def test_colliding_id_is_regenerated(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = iter(["0" * 12, "0" * 12, "0" * 12, "1" * 12, "1" * 12, "1" * 12, "2" * 12, "0" * 12, "0" * 12, "1" * 12])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(digits))
    made = [collections.create(ALICE, HOME, name="x").id for _ in range(3)]
    assert made == ["mcoll_000000000000", "mcoll_111111111111", "mcoll_222222222222"]
    assert [new_track(), new_track()] == ["mtrack_000000000000", "mtrack_111111111111"]


def test_audio_file_is_stored_as_one_track(store: str) -> None:
    made = tracks.add(HOME, "alice", title="Rain", duration_ms=1234, source_digest=b"1" * 32, instrumental=True)
    assert made is not None
    assert tracks.list_all(HOME) == [made]
    assert tracks.add(HOME, "alice", title="Rain", source_digest=b"1" * 32) is None
    assert tracks.add(ELSEWHERE, "alice", title="Rain", source_digest=b"1" * 32) is not None


def test_key_is_found_only_by_its_digest(store: str) -> None:
    made, secret = keys.make(HOME, "alice", {"music:write", "music:read"}, pepper=b"pepper")
    assert made.scopes == {"music:read", "music:write"}
    assert made.hint == secret[:8]
    assert keys.find(keys.digest(secret, b"pepper")) == made
    assert keys.find(keys.digest(secret, b"salt")) is None
    assert (keys.list_all(), keys.list_all(HOME), keys.list_all(ELSEWHERE)) == ([made], [made], [])
    kept = [str(row) for row in database.fetch_all(text("SELECT * FROM api_keys"))]
    assert not any(secret[8:] in row for row in kept)


def test_key_state_change_is_visible_immediately(store: str) -> None:
    made, secret = keys.make(HOME, "alice", [], pepper=b"pepper")
    for state in ("paused", "active", "deactivated"):
        assert keys.set_state(made.id, state)
        assert keys.find(keys.digest(secret, b"pepper")) == made._replace(state=state)
    assert not keys.set_state("mkey_000000000000", "paused")
    with pytest.raises(ValueError, match="one of: active"):
        keys.set_state(made.id, "asleep")


def test_last_used_at_is_written_once_a_minute(store: str) -> None:
    made, _ = keys.make(HOME, "alice", [], pepper=b"pepper")
    keys.record_uses({made.id})
    first = keys.list_all()[0].last_used_at
    keys.record_uses({made.id})
    assert first is not None
    assert keys.list_all()[0].last_used_at == first


def test_misspelt_secret_fails_the_checksum() -> None:
    for _ in range(20):
        secret = keys.new_secret()
        assert len(secret) == 40
        assert keys.well_formed(secret)
        for place in range(40):
            other = "0" if secret[place] != "0" else "1"
            assert not keys.well_formed(secret[:place] + other + secret[place + 1 :])
    assert not keys.well_formed("msk_" + "é" * 36)


@pytest.mark.parametrize(
    ("organization", "user"), [("org_", "a"), ("org_" + "a" * 33, "a"), ("org_a\n", "a"), (HOME, ""), (HOME, "a b")]
)
def test_malformed_ids_cannot_join(organization: str, user: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        organizations.join(organization, user)


def test_a_user_may_be_in_several_organizations(store: str) -> None:
    organizations.join(HOME, "alice")
    assert organizations.organizations_of("alice") == {HOME, ELSEWHERE}
    assert organizations.organizations_of("nobody") == frozenset()


def test_stored_response_is_replayed_only_for_the_same_request(store: str) -> None:
    assert _claim_or_create("key", b"1" * 32) is None
    stored = _claim_or_create("key", b"1" * 32)
    assert stored is not None
    assert stored[:3] == (201, {"Location": "/x"}, b'{"id": 1}')
    with pytest.raises(IdempotencyKeyReused):
        _claim_or_create("key", b"2" * 32)
    assert idempotency.delete_expired() == 0
    assert idempotency.delete_expired(older_than_hours=-1) == 1
    with pytest.raises(RuntimeError, match="inside the transaction"):
        idempotency.claim(HOME, "alice", "key", b"1" * 32)


def test_24_concurrent_duplicates_take_effect_once(store: str) -> None:
    for number in range(5):
        responses = at_once(24, lambda _, n=number: _claim_or_create(f"key {n}", b"1" * 32))  # type: ignore[misc]
        assert responses.count(None) == 1
        assert all(
            response is None or isinstance(response, idempotency.StoredResponse | IdempotencyKeyInUse)
            for response in responses
        )
        assert len(collections.list_page(ALICE, HOME, 100, 0)) == number + 1


@database.transaction
def _claim_or_create(key: str, fingerprint: bytes) -> idempotency.StoredResponse | None:
    stored = idempotency.claim(HOME, "alice", key, fingerprint)
    if stored is None:
        collections.create(ALICE, HOME, name=key)
        idempotency.store(HOME, "alice", key, fingerprint, 201, {"Location": "/x"}, b'{"id": 1}')
    return stored


def test_database_constraints_reject_invalid_rows(store: str) -> None:
    found, _ = filled(1)
    assert (
        collections.update(ALICE, HOME, found, {"name": "\N{GRINNING FACE}" * 512}, None).name[511:]
        == "\N{GRINNING FACE}"
    )
    for wrong in (
        "UPDATE collections SET name = '" + "x" * 513 + "'",
        "UPDATE collections SET track_count = -1",
        "UPDATE collections SET owner_id = 'mallory'",
        "UPDATE collection_tracks SET organization_id = 'org_elsewhere'",
        "DELETE FROM tracks",
    ):
        with pytest.raises(IntegrityError):
            database.execute(text(wrong))


def test_sqlite_uses_wal_full_sync_and_foreign_keys(tmp_path: Path) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys")
    with databases.migrated("sqlite", tmp_path) as url, opened(url):
        found = {name: database.fetch_one(text(f"PRAGMA {name}")) for name in names}
    assert [row[0] for row in found.values() if row is not None] == ["wal", 2, 1]


@pytest.mark.slow
def test_locked_sqlite_file_refuses_writes_in_time_and_allows_reads(tmp_path: Path) -> None:
    with databases.migrated("sqlite", tmp_path) as url, opened(url):
        found, _ = filled(1)
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            responses = at_once(
                4, lambda _: assert_unavailable_in_time(lambda: collections.delete(ALICE, HOME, found, None))
            )
            assert responses == [None] * 4
            assert_unavailable_in_time(lambda: collection_tracks.add(ALICE, HOME, found, NO_TRACK, None))
            assert collections.get(ALICE, HOME, found).track_count == 1
            assert ready()
            other.execute("COMMIT")
        retried(lambda: collections.delete(ALICE, HOME, found, None))


def test_full_disk_refuses_writes_and_allows_reads(tmp_path: Path) -> None:
    with databases.migrated("sqlite", tmp_path) as url, opened(url, pool_size=1):
        made = collections.create(ALICE, HOME, name="Focus")
        pages = database.fetch_one(text("PRAGMA page_count"))
        assert pages is not None
        run_on_writer = database.transaction(database.fetch_all)
        run_on_writer(text(f"PRAGMA max_page_count = {pages[0]}"))
        assert_unavailable_in_time(
            lambda: [collections.create(ALICE, HOME, name="x" * 512, description="x" * 4096) for _ in range(99)]
        )
        assert collections.get(ALICE, HOME, made.id) == made
        run_on_writer(text("PRAGMA max_page_count = 1000000"))
        collections.update(ALICE, HOME, made.id, {"description": "x" * 4096}, None)


@pytest.mark.slow
def test_exhausted_pool_raises_unavailable_in_time() -> None:
    with databases.migrated("postgresql", Path()) as url, opened(url, pool_size=1) as found:
        barrier = threading.Barrier(4)  # the pool of one connection, and its overflow of two

        def wait() -> None:
            barrier.wait()
            time.sleep(MAX_SECONDS)

        def occupy() -> None:
            database.transaction(wait)()

        with ThreadPoolExecutor(3) as pool, found.use():
            calls = [pool.submit(contextvars.copy_context().run, occupy) for _ in range(3)]
            barrier.wait()
            assert_unavailable_in_time(lambda: database.fetch_all(text("SELECT 1")))
            for call in calls:
                call.result()
        assert ready()


@pytest.fixture
def breakable() -> Iterator[databases.Breakable]:
    with databases.breakable_postgres() as server:
        migrate.upgrade(server.url)
        with opened(server.url):
            filled(1)
            at_once(6, lambda _: organizations.organizations_of("alice"))
            yield server


@pytest.mark.slow
def test_stopped_postgresql_raises_unavailable_in_time_and_recovers(breakable: databases.Breakable) -> None:
    (found,) = collections.list_page(ALICE, HOME, 10, 0)
    breakable.stop()
    for _ in range(3):
        assert_unavailable_in_time(lambda: collections.get(ALICE, HOME, found.id))
        assert_unavailable_in_time(lambda: collection_tracks.add(ALICE, HOME, found.id, NO_TRACK, None))
        assert_unavailable_in_time(ready, seconds=1.2)
    breakable.start()
    assert ready()
    collection_tracks.add(ALICE, HOME, found.id, new_track(), None)
    assert collections.get(ALICE, HOME, found.id).track_count == 2


@pytest.mark.slow
def test_postgresql_restart_is_retried_transparently(breakable: databases.Breakable) -> None:
    (found,) = collections.list_page(ALICE, HOME, 10, 0)
    track = new_track()
    breakable.stop()
    breakable.start()
    assert collections.get(ALICE, HOME, found.id) == found
    breakable.stop()
    breakable.start()
    collection_tracks.add(ALICE, HOME, found.id, track, None)
    assert at_once(6, lambda _: collections.get(ALICE, HOME, found.id).track_count) == [2] * 6


@pytest.mark.slow
def test_frozen_postgresql_raises_unavailable_in_time_and_recovers(breakable: databases.Breakable) -> None:
    (found,) = collections.list_page(ALICE, HOME, 10, 0)
    breakable.freeze()
    responses = at_once(4, lambda _: assert_unavailable_in_time(lambda: collections.get(ALICE, HOME, found.id)))
    assert responses == [None] * 4
    assert_unavailable_in_time(lambda: collection_tracks.add(ALICE, HOME, found.id, NO_TRACK, None))
    assert_unavailable_in_time(ready, seconds=1.2)
    breakable.thaw()
    assert retried(lambda: collections.get(ALICE, HOME, found.id)) == found
    collections.delete(ALICE, HOME, found.id, None)


@pytest.mark.slow
def test_postgresql_lock_timeout_is_about_one_second(breakable: databases.Breakable) -> None:
    (found,) = collections.list_page(ALICE, HOME, 10, 0)
    with engines.create_unpooled(breakable.url, wait_seconds=5).connect() as other:
        other.exec_driver_sql("BEGIN")
        other.execute(text("SELECT 1 FROM collections FOR UPDATE"))
        assert_unavailable_in_time(lambda: collection_tracks.add(ALICE, HOME, found.id, NO_TRACK, None), 1.5)
        assert_unavailable_in_time(lambda: collections.delete(ALICE, HOME, found.id, None), 1.5)
    collections.delete(ALICE, HOME, found.id, None)


@pytest.mark.slow
def test_statement_timeout_raises_unavailable(breakable: databases.Breakable) -> None:
    assert_unavailable_in_time(lambda: database.fetch_one(text("SELECT pg_sleep(30)")))
    assert_unavailable_in_time(lambda: database.execute(text("SELECT pg_sleep(30)")))


def test_key_expiry_is_stored_exactly(store: str) -> None:
    expiry = datetime.now(UTC) + timedelta(days=90)
    made, secret = keys.make(HOME, "alice", [], expiry, pepper=b"pepper")
    found = keys.find(keys.digest(secret, b"pepper"))
    assert found is not None
    assert found.expires_at == made.expires_at == expiry
