"""Usage: what a caller has used in calendar windows, and the limits of the organization."""

import secrets
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from models import spending, usage
from models.generation_tables import generations
from tools.testing.service import ON_DATABASES, Service, assert_envelope

SPANS = ("day", "week", "month")


@pytest.fixture
def organization() -> str:
    return f"org_{secrets.token_hex(6)}"


def _job(organization: str, user: str, created_at: datetime, **values: object) -> dict[str, object]:
    return {
        "organization_id": organization,
        "id": f"mjob_{secrets.token_hex(6)}",
        "user_id": user,
        "status": "succeeded",
        "progress": 100,
        "engine": "studio",
        "mode": "creation",
        "prompt": "rain",
        "duration_seconds": 30,
        "instrumental": True,
        "style_tags": "[]",
        "seed": 1,
        "fingerprint": b"1" * 32,
        "cost_cents": 25,
        "attempt": 1,
        "created_at": created_at,
    } | values


@ON_DATABASES
def test_usage_counts_the_callers_jobs_in_each_window(server: Service, organization: str) -> None:
    client = server.client(server.key("user_a", organization)[1], organization)
    server.key("user_b", organization)
    day, week, month = (window.start for window in spending.windows(datetime.now(UTC)))
    earlier = min(day, week, month) - timedelta(seconds=1)
    server.write(
        generations,
        [
            _job(organization, "user_a", day),
            _job(organization, "user_a", day, status="running", cost_cents=10),
            _job(organization, "user_a", day, engine="drift", cost_cents=1),
            _job(organization, "user_a", week, cost_cents=1000),
            _job(organization, "user_a", month, cost_cents=20_000),
            _job(organization, "user_a", earlier, cost_cents=300_000),
            _job(organization, "user_b", day, cost_cents=4_000_000),
            *(_job(organization, "user_a", day, status=ended) for ended in ("failed", "refused", "cancelled")),
        ],
    )
    with server.use_database():
        spending.set_limits(organization, {"day": 1000, "month": 5_000_000})
    found = client.get("usage").json()
    assert found["organization_id"] == organization
    limits = {"day": "10.00", "week": None, "month": "50000.00"}
    for window, start in zip(found["windows"], (day, week, month), strict=True):
        assert window["window_start"] == f"{start:%Y-%m-%dT%H:%M:%SZ}"
        assert window["limit_chf"] == limits[window["window"]]
        studio = 35 + 1000 * (week >= start) + 20_000 * (month >= start)
        tracks = 1 + (week >= start) + (month >= start)
        assert window["by_engine"] == [
            {"engine": "drift", "track_count": 1, "cost_chf": "0.01"},
            {"engine": "studio", "track_count": tracks, "cost_chf": f"{studio // 100}.{studio % 100:02d}"},
        ]
        assert window["cost_chf"] == f"{(studio + 1) // 100}.{(studio + 1) % 100:02d}"
    assert [window["window"] for window in found["windows"]] == list(SPANS)


def test_usage_without_a_job_is_nothing(server: Service, organization: str) -> None:
    client = server.client(server.key("user_a", organization)[1], organization)
    for window in client.get("usage").json()["windows"]:
        assert (window["cost_chf"], window["limit_chf"], window["by_engine"]) == ("0.00", None, [])


def test_usage_is_for_members(mallory: httpx.Client) -> None:
    assert_envelope(mallory.get("usage"), "ORGANIZATION_ACCESS_DENIED")


@ON_DATABASES
def test_the_report_sums_by_organization_user_and_engine(server: Service, organization: str) -> None:
    for user in ("user_a", "user_b"):
        server.key(user, organization)
    start, end = datetime(2021, 5, 1, tzinfo=UTC), datetime(2021, 6, 1, tzinfo=UTC)
    server.write(
        generations,
        [
            _job(organization, "user_b", start),
            _job(organization, "user_a", start, engine="drift"),
            _job(organization, "user_a", start),
            _job(organization, "user_a", end - timedelta(microseconds=1), duration_seconds=60, cost_cents=50),
            _job(organization, "user_a", start, status="queued", cost_cents=7),
            _job(organization, "user_a", start, status="failed"),
            _job(organization, "user_a", end),
            _job(organization, "user_a", start - timedelta(microseconds=1)),
        ],
    )
    with server.use_database():
        found = [row[1:] for row in usage.report(start, end) if row.organization_id == organization]
    assert found == [
        ("user_a", "drift", 1, 30, 25),
        ("user_a", "studio", 2, 90, 82),
        ("user_b", "studio", 1, 30, 25),
    ]
