"""Focus sessions: one per caller, paced and paid by the segment, ended by the caller, the cap or silence."""

import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from models import engines, focus_audio, focus_retention, focus_sessions, focus_work, spending, tracks, turns
from models.access import Caller
from models.audio import StoredAudio
from models.audio_store import AudioStore
from models.base import now
from models.db import connection
from models.focus_queries import COLUMNS
from models.focus_tables import focus_segments
from models.focus_tables import focus_sessions as table
from models.focus_work import SegmentWork
from models.generation_work import Lost
from ops import audio as ops_audio
from ops import maintenance
from tools.testing.service import HOME, ON_DATABASES, Service, Services, assert_envelope, at_once, violations

HALF_AN_HOUR = {"goal": "focus", "target_minutes": 30}
AUDIO = b"ID3" + bytes(3000)
MANY = 12
OTHER = "worker_other"
EVERY_FIELD = [
    "session_id", "status", "goal", "engine", "target_minutes", "total_segments", "ready_count", "segments",
    "more_pending", "next_ready_at",
]  # fmt: skip


class Listener:
    """A client, and what the database says of the organization."""

    def __init__(self, server: Service, organization: str) -> None:
        self.server = server
        self.organization = organization
        self.worker = f"worker_{secrets.token_hex(6)}"
        self.client = server.client(server.key("user_listener", organization)[1], organization)

    def start(self, key: str | None = None, **fields: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.client.post("focus/sessions", json=HALF_AN_HOUR | fields, headers=headers)

    def session(self, session_id: str) -> dict[str, Any]:
        return dict(self.client.get(f"focus/sessions/{session_id}").raise_for_status().json())

    def statuses(self) -> Counter[str]:
        page = self.client.get("focus/sessions", params={"limit": 100}).json()
        return Counter(session["status"] for session in page["items"])

    def limit(self, **limits: int | None) -> None:
        with self.server.use_database():
            spending.set_limits(self.organization, limits)

    def spent(self) -> list[int]:
        """What is spent today, this week and this month, in hundredths."""
        with self.server.use_database():
            return [cents for _, cents in spending.spent(self.organization, datetime.now(UTC))]

    def change(self, session_id: str, **values: object) -> None:
        with self.server.use_database():
            connection.execute(update(table).where(table.c.id == session_id).values(**values))

    def age(self, session_id: str, seconds: float) -> None:
        """Lets the session have begun so long ago."""
        moment = now() - timedelta(seconds=seconds)
        with self.server.use_database():
            row = self.row(session_id)
            due = focus_sessions.due_at(row._replace(created_at=moment), row.next_index)
            self.change(session_id, created_at=moment, due_at=due)

    def row(self, session_id: str) -> focus_sessions.Session:
        with self.server.use_database():
            row = connection.fetch_one(select(*COLUMNS).where(table.c.id == session_id))
        assert row is not None
        return focus_sessions.Session._make(row)

    def store(self) -> AudioStore:
        """The store of the server."""
        url = self.server.database_url
        is_file = url.startswith("sqlite")
        folder = Path(url.removeprefix("sqlite:///")).parent if is_file else self.server.log.parent
        return AudioStore((folder / "audio").as_uri())

    def objects(self) -> list[str]:
        return [found.name for found in self.store().list(self.organization)]

    def take(self, worker: str = "") -> SegmentWork | None:
        """The next segment of this organization."""
        with self.server.use_database():
            for row in focus_work.waiting(now()):
                if row.organization_id == self.organization:
                    return focus_work.take(row.organization_id, row.id, worker or self.worker)
        return None

    def make(self, worker: str = "") -> SegmentWork | None:
        """Makes the next segment, with some bytes as its audio."""
        work = self.take(worker)
        if work is not None:
            stored = self.store().write_bytes(work.organization_id, work.id, "audio/mpeg", AUDIO)
            with self.server.use_database():
                focus_work.succeed(work, stored, 120_000, 3000)
        return work

    def make_all(self) -> int:
        """Makes what is due; returns how many segments that were."""
        made = 0
        while self.make() is not None:
            made += 1
        return made


@pytest.fixture
def key() -> str:
    return secrets.token_hex(16)


@pytest.fixture
def listener(server: Service) -> Iterator[Listener]:
    """A user of an organization of their own, in which a minute of `studio` costs a franc, and so a segment two."""
    with server.use_database():
        engines.change("studio", enabled=True, cents_per_minute=100)
    yield Listener(server, f"org_{secrets.token_hex(6)}")
    with server.use_database():
        engines.change("studio", enabled=True, cents_per_minute=0)


def test_a_session_begins_at_once_and_can_be_read(listener: Listener) -> None:
    started = listener.start()
    session = started.json()
    assert started.status_code == 202
    assert list(session) == EVERY_FIELD
    assert (session["status"], session["engine"], session["total_segments"]) == ("active", "studio", 15)
    assert (session["ready_count"], session["segments"], session["more_pending"]) == (0, [], True)
    place = f"/v1/music/{listener.organization}/focus/sessions/{session['session_id']}"
    assert started.headers["Location"] == place
    assert listener.session(session["session_id"])["total_segments"] == 15
    [listed] = listener.client.get("focus/sessions").json()["items"]
    assert (listed["session_id"], listed["segments"]) == (session["session_id"], [])
    assert listener.spent() == [200] * 3, "the first segment is reserved"


@pytest.mark.parametrize(("minutes", "segments"), [(1, 1), (2, 1), (3, 2), (5, 3), (30, 15), (480, 240)])
def test_segments_are_rounded_up(listener: Listener, minutes: int, segments: int) -> None:
    assert listener.start(target_minutes=minutes).json()["total_segments"] == segments


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"engine": "nothing"}, ("/engine", "reference")),
        ({"goal": "party"}, ("/goal", "enum")),
        ({"goal": "custom_prompt"}, ("/custom_prompt", "required")),
        ({"goal": "custom_prompt", "custom_prompt": None}, ("/custom_prompt", "required")),
        ({"goal": "custom_prompt", "custom_prompt": ""}, ("/custom_prompt", "minLength")),
        ({"target_minutes": 0}, ("/target_minutes", "minimum")),
        ({"target_minutes": 481}, ("/target_minutes", "maximum")),
        ({"target_minutes": 1.5}, ("/target_minutes", "type")),
        ({"intensity": "loud"}, ("/intensity", "enum")),
        ({"divergence": -0.1}, ("/divergence", "minimum")),
        ({"divergence": 1.1}, ("/divergence", "maximum")),
        ({"minutes": 1}, ("/minutes", "additionalProperties")),
    ],
)
def test_what_cannot_be_played_is_refused(
    listener: Listener, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert violations(listener.start(**fields)) == {expected}
    assert (listener.statuses(), listener.spent()) == ({}, [0, 0, 0])


def test_a_prompt_is_for_its_goal_only(listener: Listener) -> None:
    asked: dict[str, Any] = {"custom_prompt": "harp", "divergence": 1, "intensity": "high"}
    own = listener.start(goal="custom_prompt", **asked).json()["session_id"]
    assert listener.row(own).custom_prompt == "harp"
    other = listener.start(goal="sleep", **asked).json()["session_id"]
    assert (listener.row(other).custom_prompt, listener.row(other).divergence_percent) == (None, 100)


def test_without_an_engine_the_first_one_that_can_is_taken(listener: Listener) -> None:
    assert listener.start().json()["engine"] == "studio"
    with listener.server.use_database():
        engines.change("studio", enabled=False)
    assert listener.start().json()["engine"] == "drift"
    assert violations(listener.start(engine="studio")) == {("/engine", "reference")}
    assert listener.start(engine="drift").json()["engine"] == "drift"


def test_a_repeated_request_gets_the_session_as_it_is_now(listener: Listener, key: str) -> None:
    first = listener.start(key)
    session_id = first.json()["session_id"]
    assert "Idempotent-Replayed" not in first.headers
    listener.make()
    again = listener.start(key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert (again.json()["session_id"], again.json()["ready_count"]) == (session_id, 1)
    listener.client.post(f"focus/sessions/{session_id}/end")
    assert listener.start(key).json()["status"] == "ended"
    assert_envelope(listener.start(key, target_minutes=31), "IDEMPOTENCY_KEY_REUSED")
    assert listener.statuses() == {"ended": 1}


def test_a_second_start_ends_the_first_session(listener: Listener, key: str) -> None:
    first = listener.start(key).json()["session_id"]
    listener.make()
    second = listener.start().json()["session_id"]
    assert (listener.session(first)["status"], listener.session(second)["status"]) == ("ended", "active")
    assert len(listener.session(first)["segments"]) == 1, "what is ready stays"
    assert listener.spent() == [400] * 3, "one segment that was made, and one that is reserved"
    assert listener.start(key).json()["status"] == "ended"
    assert listener.session(second)["status"] == "active"


def test_sessions_of_two_organizations_do_not_end_each_other(listener: Listener) -> None:
    listener.start()
    elsewhere = Listener(listener.server, f"org_{secrets.token_hex(6)}")
    elsewhere.start()
    assert (listener.statuses(), elsewhere.statuses()) == ({"active": 1}, {"active": 1})


@ON_DATABASES
def test_parallel_starts_leave_one_active_session(listener: Listener, key: str) -> None:
    responses = at_once(MANY, lambda number: listener.start(f"{key}{number}"))
    assert Counter(response.status_code for response in responses) == {202: MANY}
    assert listener.statuses() == {"active": 1, "ended": MANY - 1}
    assert listener.spent() == [200] * 3


@ON_DATABASES
def test_parallel_starts_with_one_key_begin_one_session(listener: Listener, key: str) -> None:
    responses = at_once(MANY, lambda _: listener.start(key))
    assert len({response.json()["session_id"] for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1
    assert (listener.statuses(), listener.spent()) == ({"active": 1}, [200] * 3)


def test_segments_are_made_five_ahead_of_the_time(listener: Listener) -> None:
    session_id = listener.start().json()["session_id"]
    assert listener.make_all() == 5
    assert listener.spent() == [1000] * 3
    for minutes, more in ((1, 0), (2, 1), (3.9, 0), (4, 1), (10, 3)):
        listener.age(session_id, minutes * 60)
        assert listener.make_all() == more, minutes
    listener.age(session_id, 3600)
    assert listener.make_all() == 5
    session = listener.session(session_id)
    assert (session["ready_count"], session["more_pending"], session["next_ready_at"]) == (15, False, None)
    assert [one["segment_index"] for one in session["segments"]] == list(range(15))
    assert session["status"] == "active"


def test_the_next_segment_is_announced(listener: Listener) -> None:
    session_id = listener.start().json()["session_id"]

    def seconds() -> float:
        announced = datetime.fromisoformat(listener.session(session_id)["next_ready_at"])
        return (announced - now()).total_seconds()

    assert 0 <= seconds() <= 15
    assert listener.take() is not None
    assert 0 <= seconds() <= 15
    listener.client.post(f"focus/sessions/{session_id}/end")
    session_id = listener.start().json()["session_id"]
    listener.make_all()
    assert 100 < seconds() <= 135


def test_a_segment_can_be_played_and_says_how_it_is_joined(listener: Listener) -> None:
    session_id = listener.start().json()["session_id"]
    listener.make()
    [segment] = listener.session(session_id)["segments"]
    assert {**segment, "playback_url": ""} == {
        "segment_index": 0,
        "playback_url": "",
        "measured_duration_seconds": 120.0,
        "target_lufs": -18.0,
        "fade_in_ms": 3000,
        "fade_out_ms": 3000,
    }
    assert f"/v1/music/audio/{session_id}-0.mp3?sig=mseal_" in segment["playback_url"]
    played = httpx.get(segment["playback_url"], trust_env=False)
    assert (played.status_code, played.content, played.headers["Content-Type"]) == (200, AUDIO, "audio/mpeg")
    part = httpx.get(segment["playback_url"], headers={"Range": "bytes=1-2"}, trust_env=False)
    assert (part.status_code, part.content) == (206, AUDIO[1:3])
    for altered in (("-0.mp3", "-1.mp3"), ("sig=mseal_", "sig=mseal_A"), (f"{session_id}-0", "mtrack_000000000000")):
        refused = httpx.get(segment["playback_url"].replace(*altered)[:2000], trust_env=False)
        assert_envelope(refused, "PLAYBACK_URL_INVALID")


def test_a_segment_is_no_track_and_no_job(listener: Listener) -> None:
    listener.start()
    listener.make()
    assert listener.client.get("generations").json()["jobs"] == []
    assert listener.client.get("tracks").json()["items"] == []
    with listener.server.use_database():
        assert tracks.list_all(listener.organization) == []


def test_usage_counts_what_segments_cost(listener: Listener) -> None:
    session_id = listener.start().json()["session_id"]
    listener.make()
    listener.make()
    listener.client.post("generations", json={"engine": "studio", "prompt": "rain", "duration_seconds": 30})
    assert listener.take() is not None
    for window in listener.client.get("usage").json()["windows"]:
        assert window["cost_chf"] == "6.50"
        assert window["by_engine"] == [{"engine": "studio", "track_count": 0, "cost_chf": "6.50"}]
    listener.client.post(f"focus/sessions/{session_id}/end")
    assert listener.client.get("usage").json()["windows"][0]["cost_chf"] == "4.50"


@ON_DATABASES
def test_ending_gives_back_what_was_only_begun(listener: Listener) -> None:
    session_id = listener.start().json()["session_id"]
    listener.make()
    work = listener.take()
    assert work is not None
    assert listener.spent() == [400] * 3
    ended = listener.client.post(f"focus/sessions/{session_id}/end").json()
    assert (ended["status"], ended["ready_count"], ended["more_pending"]) == ("ended", 1, False)
    assert listener.spent() == [200] * 3
    with listener.server.use_database(), pytest.raises(Lost):
        focus_work.succeed(work, StoredAudio("org/a", 1, "audio/mpeg"), 1, 1)
    again = listener.client.post(f"focus/sessions/{session_id}/end").json()
    assert {**again, "segments": []} == {**ended, "segments": []}
    assert httpx.get(again["segments"][0]["playback_url"], trust_env=False).status_code == 200
    assert listener.take() is None


@ON_DATABASES
def test_the_cap_stops_a_session_and_leaves_what_is_ready(listener: Listener) -> None:
    listener.limit(week=650)
    session_id = listener.start().json()["session_id"]
    assert listener.make_all() == 3
    session = listener.session(session_id)
    assert (session["status"], session["ready_count"], session["more_pending"]) == ("stopped_cap", 3, False)
    assert len(session["segments"]) == 3
    assert listener.spent() == [600] * 3, "what the day counted is taken back when the week refuses"
    assert assert_envelope(listener.start(), "SPEND_LIMIT_EXCEEDED")["details"]["window"] == "week"
    assert listener.statuses() == {"stopped_cap": 1}
    assert listener.client.post(f"focus/sessions/{session_id}/end").json()["status"] == "stopped_cap"


def test_an_organization_with_too_much_audio_gets_no_session(listener: Listener, services: Services) -> None:
    listener.start()
    listener.make()
    with listener.server.use_database():
        connection.execute(
            update(focus_segments)
            .where(focus_segments.c.organization_id == listener.organization)
            .values(audio_bytes=1024 * 1024)
        )
    server = services.variant(listener.server, ORGANIZATION_AUDIO_MIB="1")
    listener.client.base_url = httpx.URL(f"{server.url}/v1/music/{listener.organization}/")
    assert_envelope(listener.start(), "STORAGE_FULL")
    assert listener.statuses() == {"active": 1}, "a start that is refused ends nothing"


def test_sessions_are_listed_newest_first_and_by_status(listener: Listener) -> None:
    ids = [listener.start().json()["session_id"] for _ in range(3)]
    for status, expected in ((None, ids[::-1]), ("active", ids[2:]), ("ended", ids[1::-1]), ("stopped_cap", [])):
        params = {} if status is None else {"status": status}
        items = listener.client.get("focus/sessions", params=params).json()["items"]
        assert [one["session_id"] for one in items] == expected
    page = listener.client.get("focus/sessions", params={"limit": 1, "offset": 1}).json()
    assert ([one["session_id"] for one in page["items"]], page["limit"], page["offset"]) == ([ids[1]], 1, 1)
    assert violations(listener.client.get("focus/sessions", params={"status": "x"})) == {("query/status", "enum")}


@ON_DATABASES
def test_a_segment_is_made_and_charged_once_whatever_happens_to_its_workers(listener: Listener) -> None:
    session_id = listener.start().json()["session_id"]
    first = listener.take()
    assert first is not None
    assert listener.take(OTHER) is None
    with listener.server.use_database():
        assert listener.worker in turns.holders()
        assert [work.id for work in turns.take_over(listener.worker)] == [f"{session_id}-0"]
    second = listener.make(OTHER)
    assert second is not None
    assert (second.id, second.attempt) == (first.id, 2)
    stored = StoredAudio("org/late", 1, "audio/mpeg")
    with listener.server.use_database():
        with pytest.raises(Lost):
            focus_work.succeed(first, stored, 1, 1)
        for write in (focus_work.require_held, focus_work.give_back, focus_work.retry, focus_work.end):
            with pytest.raises(Lost):
                write(first)
    assert (listener.session(session_id)["ready_count"], listener.spent()) == (1, [200] * 3)


@ON_DATABASES
def test_workers_at_once_make_each_segment_once(listener: Listener) -> None:
    session_id = listener.start().json()["session_id"]
    listener.age(session_id, 3600)

    def work(number: int) -> list[str]:
        made = []
        while (segment := listener.make(f"worker_{number}")) is not None:
            made.append(segment.id)
        return made

    made = Counter(one for some in at_once(4, work) for one in some)
    assert made == {f"{session_id}-{index}": 1 for index in range(15)}
    assert (listener.session(session_id)["ready_count"], listener.spent()) == (15, [3000] * 3)


def test_a_segment_that_is_given_back_is_no_death(listener: Listener) -> None:
    listener.start()
    for _ in range(5):
        work = listener.take()
        assert work is not None
        assert work.attempt == 1
        with listener.server.use_database():
            focus_work.give_back(work)
    assert listener.spent() == [200] * 3


def test_three_deaths_end_a_session_at_no_cost(listener: Listener) -> None:
    session_id = listener.start().json()["session_id"]
    for attempt in (1, 2, 3):
        work = listener.take()
        assert work is not None
        assert work.attempt == attempt
        with listener.server.use_database():
            turns.take_over(listener.worker)
    assert (listener.session(session_id)["status"], listener.spent()) == ("ended", [0] * 3)


def test_a_listener_comes_before_the_jobs_of_the_same_caller_and_others_take_turns(listener: Listener) -> None:
    other = Listener(listener.server, f"org_{secrets.token_hex(6)}")
    for client in (listener.client, listener.client, other.client):
        client.post("generations", json={"engine": "studio", "prompt": "rain", "duration_seconds": 30})
    listener.start()
    mine = {listener.organization, other.organization}
    order: list[tuple[bool, bool]] = []
    with listener.server.use_database():
        while len(order) < 6 and (work := turns.take(listener.worker)) is not None:
            if work.organization_id not in mine:
                continue
            order.append((work.organization_id == other.organization, isinstance(work, SegmentWork)))
            if isinstance(work, SegmentWork) and len(order) < 3:
                focus_work.succeed(work, StoredAudio(f"{work.organization_id}/x", 1, "audio/mpeg"), 1, 1)
    assert order == [(False, True), (True, False), (False, True), (False, False), (False, False)]


def test_reading_a_session_is_a_sign_of_life_and_silence_ends_it(listener: Listener) -> None:
    session_id = listener.start().json()["session_id"]
    long_ago = now() - timedelta(minutes=59)
    listener.change(session_id, seen_at=long_ago)
    with listener.server.use_database():
        focus_retention.end_abandoned(maintenance.ABANDONED)
    assert listener.row(session_id).status == "active"
    listener.session(session_id)
    ends = now() + timedelta(seconds=10)
    while listener.row(session_id).seen_at == long_ago and now() < ends:
        pass
    assert listener.row(session_id).seen_at > long_ago
    listener.change(session_id, seen_at=now() - timedelta(minutes=61))
    with listener.server.use_database():
        focus_retention.end_abandoned(maintenance.ABANDONED)
    assert (listener.session(session_id)["status"], listener.spent()) == ("ended", [0] * 3)


def test_audio_of_an_ended_session_is_kept_a_day(listener: Listener) -> None:
    session_id = listener.start().json()["session_id"]
    listener.make_all()
    names = listener.objects()
    [url, *_] = [one["playback_url"] for one in listener.session(session_id)["segments"]]
    listener.client.post(f"focus/sessions/{session_id}/end")
    with listener.server.use_database():
        listener.change(session_id, ended_at=now() - timedelta(hours=23))
        ops_audio.remove_of_ended_sessions(listener.store(), maintenance.SESSION_AUDIO_HOURS)
        ops_audio.clean(listener.store(), 0)
        assert sorted(listener.objects()) == sorted(names)
        listener.change(session_id, ended_at=now() - timedelta(hours=25))
        ops_audio.remove_of_ended_sessions(listener.store(), maintenance.SESSION_AUDIO_HOURS)
    assert listener.objects() == []
    session = listener.session(session_id)
    assert (session["ready_count"], session["segments"]) == (0, [])
    assert_envelope(httpx.get(url, trust_env=False), "PLAYBACK_URL_INVALID")
    assert listener.spent() == [1000] * 3, "what was made was paid"


def test_audio_that_no_segment_names_is_cleaned_up(listener: Listener) -> None:
    session_id = listener.start().json()["session_id"]
    listener.make()
    left_over = listener.store().write_bytes(listener.organization, f"{session_id}-1", "audio/mpeg", AUDIO).name
    with listener.server.use_database():
        assert focus_audio.named(listener.organization, listener.objects()) == {*listener.objects()} - {left_over}
        ops_audio.clean(listener.store(), 0, everything=True)
    assert left_over not in listener.objects()
    assert len(listener.objects()) == 1


@ON_DATABASES
def test_old_sessions_are_deleted_with_their_segments(listener: Listener) -> None:
    old = listener.start().json()["session_id"]
    listener.make()
    young = listener.start().json()["session_id"]
    listener.change(old, ended_at=now() - timedelta(days=91))
    with listener.server.use_database():
        focus_retention.delete_ended(90)
        found = connection.fetch_all(
            select(focus_segments.c.session_id).where(focus_segments.c.organization_id == listener.organization)
        )
    assert {row.session_id for row in found} == {young}
    assert_envelope(listener.client.get(f"focus/sessions/{old}"), "RESOURCE_NOT_FOUND")


def test_a_session_is_its_callers(listener: Listener, alice: httpx.Client, bob: httpx.Client) -> None:
    session_id = alice.post("focus/sessions", json=HALF_AN_HOUR).json()["session_id"]
    for method, place in (("GET", ""), ("POST", "/end")):
        refused = bob.request(method, f"focus/sessions/{session_id}{place}")
        assert assert_envelope(refused, "RESOURCE_NOT_FOUND")["details"] == {"session_id": session_id}
    assert session_id not in {one["session_id"] for one in bob.get("focus/sessions").json()["items"]}
    assert alice.get(f"focus/sessions/{session_id}").json()["status"] == "active"
    stranger = Caller("user_alice", frozenset(), frozenset(("music:read",)), None)
    with listener.server.use_database(), pytest.raises(Exception, match="not found"):
        focus_sessions.get(stranger, HOME, session_id)
