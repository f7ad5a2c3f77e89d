"""Jobs: asked for once per key, within the limits of the caller and the organization, and cancelled at once."""

import json
import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from models import engines, money, organizations, spending, tracks
from models import generations as jobs
from models.access import Caller
from models.db import connection
from models.exceptions import InvalidValue
from models.generation_tables import active_jobs, generations, spend_windows
from models.generations import Job, JobLimits, Order
from tools.testing.service import (
    HOME,
    NO_TRACK,
    ON_DATABASES,
    Service,
    Services,
    assert_envelope,
    at_once,
    violations,
)

PIECE = {"engine": "studio", "prompt": "rain on a window", "duration_seconds": 30}
MANY, MOST = 24, 10


@pytest.fixture
def key() -> str:
    return secrets.token_hex(16)


@pytest.fixture
def customer(server: Service) -> Iterator["Customer"]:
    """A user of an organization of their own, in which a minute of `studio` costs a franc."""
    organization = f"org_{secrets.token_hex(6)}"
    client = server.client(server.key("user_customer", organization)[1], organization)
    with server.use_database():
        engines.change("studio", enabled=True, cents_per_minute=100)
    yield Customer(server, organization, client)
    with server.use_database():
        engines.change("studio", enabled=True, cents_per_minute=0)


class Customer:
    """A client, and what the database says of the organization."""

    def __init__(self, server: Service, organization: str, client: httpx.Client) -> None:
        self.server = server
        self.organization = organization
        self.client = client

    def ask(self, key: str | None = None, **fields: object) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.client.post("generations", json=PIECE | fields, headers=headers)

    def limit(self, **limits: int | None) -> None:
        with self.server.use_database():
            spending.set_limits(self.organization, limits)

    def spent(self) -> list[int]:
        """What is spent today, this week and this month, in hundredths."""
        with self.server.use_database():
            return [cents for _, cents in spending.spent(self.organization, datetime.now(UTC))]

    def active(self) -> int:
        where = active_jobs.c.organization_id == self.organization
        with self.server.use_database():
            return sum(row.job_count for row in connection.fetch_all(select(active_jobs.c.job_count).where(where)))

    def finish(self, job_id: str, **values: object) -> None:
        with self.server.use_database():
            connection.execute(update(generations).where(generations.c.id == job_id).values(**values))

    def jobs(self) -> list[str]:
        return [job["id"] for job in self.client.get("generations", params={"limit": 100}).json()["jobs"]]


def test_a_new_job_is_queued_and_can_be_read(customer: Customer) -> None:
    made = customer.ask(title="Rain", style_tags=["calm", "warm"], mode="focus")
    job = made.json()
    assert made.status_code == 202
    assert (job["status"], job["progress"], job["mode"], job["track"]) == ("queued", 0, "focus", None)
    assert made.headers["Location"] == f"/v1/music/{customer.organization}/generations/{job['id']}"
    assert customer.client.get(f"generations/{job['id']}").json() == job
    assert customer.client.get("generations").json() == {"jobs": [job], "limit": 50, "offset": 0}


def test_jobs_are_listed_newest_first_and_by_status(customer: Customer) -> None:
    ids = [customer.ask().json()["id"] for _ in range(4)]
    customer.client.post(f"generations/{ids[1]}/cancel")
    assert customer.jobs() == ids[::-1]
    for status, expected in (("queued", [ids[3], ids[2], ids[0]]), ("cancelled", [ids[1]]), ("failed", [])):
        listed = customer.client.get("generations", params={"status": status}).json()["jobs"]
        assert [job["id"] for job in listed] == expected
    page = customer.client.get("generations", params={"status": "queued", "limit": 1, "offset": 1}).json()
    assert ([job["id"] for job in page["jobs"]], page["limit"], page["offset"]) == ([ids[2]], 1, 1)
    assert violations(customer.client.get("generations", params={"status": "done"})) == {("query/status", "enum")}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"engine": "nothing"}, ("/engine", "reference")),
        ({"duration_seconds": 601}, ("/duration_seconds", "maximum")),
        ({"duration_seconds": 0}, ("/duration_seconds", "minimum")),
        ({"duration_seconds": 3601}, ("/duration_seconds", "maximum")),
        ({"lyrics": "la la la"}, ("/lyrics", "unsupported")),
        ({"seed_track_id": NO_TRACK}, ("/seed_track_id", "unsupported")),
        ({"mode": "party"}, ("/mode", "enum")),
        ({"style_tags": ["a", "a"]}, ("/style_tags", "uniqueItems")),
        ({"idempotency_key": "a b"}, ("/idempotency_key", "pattern")),
        ({"prompt": "x" * 2001}, ("/prompt", "maxLength")),
        ({"cost": 1}, ("/cost", "additionalProperties")),
    ],
)
def test_what_cannot_be_made_is_refused(customer: Customer, fields: dict[str, Any], expected: tuple[str, str]) -> None:
    assert violations(customer.ask(**fields)) == {expected}
    assert (customer.jobs(), customer.spent(), customer.active()) == ([], [0, 0, 0], 0)


def test_an_engine_that_is_switched_off_is_unknown(customer: Customer) -> None:
    with customer.server.use_database():
        engines.change("studio", enabled=False)
    assert violations(customer.ask()) == {("/engine", "reference")}
    assert [engine["engine_key"] for engine in customer.client.get("engines").json()["items"]] == ["drift"]


def test_the_longest_prompt_and_every_character_are_kept(customer: Customer) -> None:
    longest = "\N{MUSICAL SYMBOL G CLEF}\n\t\u202e\U0010ffff" * 400
    made = customer.ask(prompt=longest, style_tags=["\N{SNOWMAN}" * 64], title="\N{SNOWMAN}" * 200)
    with customer.server.use_database():
        row = connection.fetch_one(select(generations).where(generations.c.id == made.json()["id"]))
    assert row is not None
    assert (row.prompt, row.title, json.loads(row.style_tags)) == (longest, "\N{SNOWMAN}" * 200, ["\N{SNOWMAN}" * 64])


def test_a_repeated_request_gets_the_job_as_it_is_now(customer: Customer, key: str) -> None:
    first = customer.ask(key)
    job_id = first.json()["id"]
    assert "Idempotent-Replayed" not in first.headers
    customer.finish(job_id, status="running", progress=40)
    again = customer.ask(key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.json() == first.json() | {"status": "running", "progress": 40}
    assert (customer.jobs(), customer.spent(), customer.active()) == ([job_id], [50, 50, 50], 1)


def test_the_header_wins_over_the_field(customer: Customer, key: str) -> None:
    by_field, by_header = customer.ask(idempotency_key=key).json()["id"], customer.ask(key).json()["id"]
    assert by_field == by_header, "the fingerprint is taken without the field"
    assert customer.ask(key, idempotency_key="other").json()["id"] == by_header
    assert customer.ask("other", idempotency_key=key).json()["id"] != by_header


def test_a_key_with_another_request_is_refused(customer: Customer, key: str) -> None:
    customer.ask(key)
    assert_envelope(customer.ask(key, duration_seconds=31), "IDEMPOTENCY_KEY_REUSED")
    assert_envelope(customer.ask(idempotency_key=key, prompt="wind"), "IDEMPOTENCY_KEY_REUSED")
    assert len(customer.jobs()) == 1


def test_a_key_belongs_to_a_user_and_an_organization(customer: Customer, key: str) -> None:
    made = {customer.ask(key).json()["id"]}
    for user, organization in (("user_customer", HOME), ("user_other", customer.organization)):
        client = customer.server.client(customer.server.key(user, organization)[1], organization)
        made.add(client.post("generations", json=PIECE, headers={"Idempotency-Key": key}).json()["id"])
    assert len(made) == 3


def test_only_an_accepted_request_keeps_its_key(customer: Customer, key: str) -> None:
    customer.limit(day=49)
    assert_envelope(customer.ask(key), "SPEND_LIMIT_EXCEEDED")
    assert violations(customer.ask(key, duration_seconds=601)) == {("/duration_seconds", "maximum")}
    customer.limit(day=50)
    assert "Idempotent-Replayed" not in customer.ask(key).headers
    customer.limit(day=0)
    assert customer.ask(key).headers["Idempotent-Replayed"] == "true", "the key is looked up before the limits"


def test_a_repeated_request_needs_no_engine(customer: Customer, key: str) -> None:
    first = customer.ask(key).json()
    with customer.server.use_database():
        engines.change("studio", enabled=False)
    assert customer.ask(key).json() == first


@ON_DATABASES
def test_parallel_requests_with_one_key_make_one_job(customer: Customer, key: str) -> None:
    responses = at_once(MANY, lambda _: customer.ask(key))
    assert Counter(response.status_code for response in responses) == {202: MANY}
    assert len({response.json()["id"] for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1
    assert (len(customer.jobs()), customer.spent(), customer.active()) == (1, [50, 50, 50], 1)


@ON_DATABASES
def test_parallel_requests_cannot_pass_a_spending_limit(customer: Customer) -> None:
    customer.limit(week=MOST * 50)
    responses = at_once(MANY, lambda _: customer.ask())
    assert Counter(response.status_code for response in responses) == {202: MOST, 429: MANY - MOST}
    assert (len(customer.jobs()), customer.spent(), customer.active()) == (MOST, [MOST * 50] * 3, MOST)


@ON_DATABASES
def test_parallel_requests_cannot_pass_the_limit_of_active_jobs(customer: Customer, services: Services) -> None:
    server = services.variant(customer.server, MAX_ACTIVE_JOBS=str(MOST))
    customer.client.base_url = httpx.URL(f"{server.url}/v1/music/{customer.organization}/")
    responses = at_once(MANY, lambda _: customer.ask())
    assert Counter(response.status_code for response in responses) == {202: MOST, 409: MANY - MOST}
    refused = next(response for response in responses if response.status_code == 409)
    assert assert_envelope(refused, "TOO_MANY_ACTIVE_JOBS")["details"] == {"active_jobs": MOST}
    assert (len(customer.jobs()), customer.spent(), customer.active()) == (MOST, [MOST * 50] * 3, MOST)
    customer.client.post(f"generations/{customer.jobs()[0]}/cancel")
    assert customer.ask().status_code == 202


def test_a_reached_spending_limit_says_when_it_is_reset(customer: Customer) -> None:
    customer.limit(day=75, week=1000, month=None)
    customer.ask()
    refused = customer.ask()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    reset = today + timedelta(days=1)
    assert assert_envelope(refused, "SPEND_LIMIT_EXCEEDED")["details"] == {
        "window": "day",
        "limit_chf": "0.75",
        "resets_at": f"{reset:%Y-%m-%dT%H:%M:%SZ}",
    }
    assert 1 <= int(refused.headers["Retry-After"]) <= 86_400
    assert customer.spent() == [50, 50, 50], "what the week counted is taken back when the day refuses"
    assert customer.ask(duration_seconds=15).status_code == 202


def test_an_organization_with_too_much_audio_gets_no_more(customer: Customer, services: Services, key: str) -> None:
    made = customer.ask(key).json()
    server = services.variant(customer.server, ORGANIZATION_AUDIO_MIB="1")
    customer.client.base_url = httpx.URL(f"{server.url}/v1/music/{customer.organization}/")
    with customer.server.use_database():
        tracks.add(customer.organization, "user_customer", title="Large", audio=("a", 1024 * 1024, "audio/mpeg"))
    refused = customer.ask()
    assert assert_envelope(refused, "STORAGE_FULL")["details"] == {}
    assert "Retry-After" in refused.headers
    assert customer.ask(key).json() == made, "what was accepted before is no new audio"
    assert (len(customer.jobs()), customer.spent(), customer.active()) == (1, [50] * 3, 1)


@ON_DATABASES
def test_a_piece_must_fit_beside_what_is_stored_and_what_is_queued(customer: Customer, services: Services) -> None:
    """A second takes up to 20,000 bytes, so 1 MiB has room for 52 seconds."""
    server = services.variant(customer.server, ORGANIZATION_AUDIO_MIB="1")
    customer.client.base_url = httpx.URL(f"{server.url}/v1/music/{customer.organization}/")
    assert_envelope(customer.ask(duration_seconds=53), "STORAGE_FULL")
    first = customer.ask(duration_seconds=22)
    assert first.status_code == 202
    assert_envelope(customer.ask(duration_seconds=31), "STORAGE_FULL")
    assert customer.ask(duration_seconds=20).status_code == 202
    with customer.server.use_database():
        tracks.add(customer.organization, "user_customer", title="Small", audio=("b", 200_000, "audio/mpeg"))
    assert_envelope(customer.ask(duration_seconds=1), "STORAGE_FULL")
    assert customer.client.post(f"generations/{first.json()['id']}/cancel").status_code == 200
    assert customer.ask(duration_seconds=22).status_code == 202, "what is cancelled takes no room"
    assert (customer.active(), len(customer.jobs())) == (2, 3)


@ON_DATABASES
def test_cancelling_ends_a_job_at_once_and_gives_back_its_cost(customer: Customer) -> None:
    queued, running = (customer.ask().json()["id"] for _ in range(2))
    customer.finish(running, status="running", progress=60, attempt=1)
    assert (customer.spent(), customer.active()) == ([100] * 3, 2)
    for job_id, progress in ((queued, 0), (running, 60)):
        cancelled = customer.client.post(f"generations/{job_id}/cancel")
        assert (cancelled.status_code, cancelled.json()["status"], cancelled.json()["progress"]) == (
            200,
            "cancelled",
            progress,
        )
        assert customer.client.post(f"generations/{job_id}/cancel").json() == cancelled.json()
        assert customer.client.get(f"generations/{job_id}").json() == cancelled.json()
    assert (customer.spent(), customer.active()) == ([0] * 3, 0)


@pytest.mark.parametrize("status", ["succeeded", "failed", "refused", "cancelled"])
def test_cancelling_a_job_that_has_ended_changes_nothing(customer: Customer, status: str) -> None:
    job_id = customer.ask().json()["id"]
    customer.finish(job_id, status=status, progress=100)
    before = customer.client.get(f"generations/{job_id}").json()
    assert customer.client.post(f"generations/{job_id}/cancel").json() == before
    assert before["status"] == status
    assert (customer.spent(), customer.active()) == ([50] * 3, 1)


@ON_DATABASES
def test_parallel_cancels_give_back_once(customer: Customer) -> None:
    customer.ask()
    job_id = customer.ask().json()["id"]
    responses = at_once(8, lambda _: customer.client.post(f"generations/{job_id}/cancel"))
    assert {response.json()["status"] for response in responses} == {"cancelled"}
    assert (customer.spent(), customer.active()) == ([50] * 3, 1)


def test_a_cost_is_given_back_to_the_windows_in_which_it_was_reserved(customer: Customer) -> None:
    long_ago = datetime(2020, 2, 29, 23, 59, 59, tzinfo=UTC)
    with customer.server.use_database():
        spending.reserve(customer.organization, 70, long_ago)
        spending.reserve(customer.organization, 5, long_ago)
    job_id = customer.ask().json()["id"]
    customer.finish(job_id, created_at=long_ago, cost_cents=70)
    customer.client.post(f"generations/{job_id}/cancel")
    with customer.server.use_database():
        assert [cents for _, cents in spending.spent(customer.organization, long_ago)] == [5, 5, 5]
    assert customer.spent() == [50] * 3


def test_a_piece_that_costs_nothing_touches_no_window(customer: Customer) -> None:
    assert customer.ask(engine="drift").status_code == 202
    where = spend_windows.c.organization_id == customer.organization
    with customer.server.use_database():
        assert connection.fetch_all(select(spend_windows).where(where)) == []


def test_the_price_is_the_one_of_the_request(customer: Customer) -> None:
    customer.ask()
    with customer.server.use_database():
        engines.change("studio", cents_per_minute=10_000)
    customer.client.post(f"generations/{customer.jobs()[0]}/cancel")
    assert customer.spent() == [0] * 3


@pytest.mark.parametrize(
    ("seconds", "price", "cents"),
    [(30, 1, 1), (29, 1, 0), (90, 1, 2), (1, 30, 1), (1, 29, 0), (600, 100, 1000), (0, 9, 0)],
)
def test_a_cost_is_rounded_half_up(seconds: int, price: int, cents: int) -> None:
    assert money.cost(seconds, price) == cents


def test_amounts_have_two_places() -> None:
    assert [money.as_decimal(cents) for cents in (0, 5, 10, 123, 100_000)] == [
        "0.00",
        "0.05",
        "0.10",
        "1.23",
        "1000.00",
    ]
    assert [money.from_text(text) for text in ("0", "10", "0.25", "1.5", "1000000")] == [0, 1000, 25, 150, 100_000_000]
    for text in ("", "a", "-1", "0.001", "1e9", "NaN", "Infinity", "1,5", "1000000.01"):
        with pytest.raises(ValueError, match="amount"):
            money.from_text(text)


def test_windows_are_those_of_the_calendar_in_utc() -> None:
    sunday = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)
    found = [(window.span, window.start, window.end) for window in spending.windows(sunday)]
    assert found == [
        ("day", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)),
        ("week", datetime(2026, 2, 23, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)),
        ("month", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)),
    ]
    december = spending.windows(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert [window.end for window in december] == [
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2027, 1, 4, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    ]


def test_jobs_of_others_are_not_found(customer: Customer, alice: httpx.Client, mallory: httpx.Client) -> None:
    job_id = customer.ask().json()["id"]
    colleague = customer.server.client(
        customer.server.key("user_colleague", customer.organization)[1], customer.organization
    )
    for stranger in (colleague, alice, mallory):
        for method, path in (("GET", job_id), ("POST", f"{job_id}/cancel")):
            refused = stranger.request(method, f"generations/{path}")
            assert assert_envelope(refused, "RESOURCE_NOT_FOUND")["details"] == {"job_id": job_id}
    assert colleague.get("generations").json()["jobs"] == []
    assert_envelope(mallory.get("generations"), "ORGANIZATION_ACCESS_DENIED")
    assert customer.client.get(f"generations/{job_id}").json()["status"] == "queued"


def test_a_finished_job_shows_its_track_until_it_is_deleted(customer: Customer) -> None:
    job_id = customer.ask().json()["id"]
    with customer.server.use_database():
        track = tracks.add(customer.organization, "user_customer", title="Rain", duration_ms=30_500, engine="studio")
    assert track is not None
    customer.finish(job_id, status="succeeded", progress=100, result_track_id=track.id)
    shown = customer.client.get(f"generations/{job_id}").json()
    assert shown["result_track_id"] == track.id
    assert shown["track"] == {
        "id": track.id,
        "title": "Rain",
        "engine": "studio",
        "mode": "creation",
        "instrumental": False,
        "measured_duration_seconds": 30.5,
        "mime_type": None,
        "licence_class": "unclear",
        "playback_url": shown["playback_url"],
    }
    [listed] = customer.client.get("generations").json()["jobs"]
    assert listed == shown | {"track": None, "playback_url": None}
    assert customer.client.delete(f"tracks/{track.id}").status_code == 200
    assert customer.client.get(f"generations/{job_id}").json() == listed


@ON_DATABASES
def test_only_a_track_that_the_caller_may_hear_can_be_continued(customer: Customer, foreign_track: str) -> None:
    with customer.server.use_database():
        organizations.join(customer.organization, "user_colleague")
        own = tracks.add(customer.organization, "user_customer", title="Mine")
        hers = tracks.add(customer.organization, "user_colleague", title="Hers")
        assert own is not None
        assert hers is not None
        for track_id in (hers.id, foreign_track, NO_TRACK):
            with pytest.raises(InvalidValue) as refused:
                _continue(customer, track_id)
            assert refused.value.details["errors"] == [
                {
                    "pointer": "/seed_track_id",
                    "code": "reference",
                    "message": "There is no such track in this organization.",
                }
            ]
        assert _continue(customer, own.id).seed_track_id == own.id
    assert (len(customer.jobs()), customer.active()) == (1, 1)


def _continue(customer: Customer, track_id: str) -> Job:
    caller = Caller("user_customer", frozenset({customer.organization}), frozenset(), None)
    order = Order("studio", "creation", "more", 30, True, None, track_id, [], None, None, b"1" * 32)
    job, is_new = jobs.create(caller, customer.organization, order, JobLimits(0, MOST))
    assert is_new
    return job
