"""Metrics: one scrape sees the requests of all workers, and the dashboard asks for nothing that does not exist."""

import json
import re
import socket
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tools.testing.cases import head
from tools.testing.service import ALICE, HOME, ROOT, Services, raw

DASHBOARD = ROOT / "deploy" / "grafana" / "music-studio.json"
Found = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Measured:
    """A server with two workers and a port for its metrics."""

    def __init__(self, services: Services) -> None:
        self.port = _free_port()
        url = services.actors("sqlite").service.database_url
        self.service = services.start(url, WORKERS="2", RATE_LIMIT="20/day", METRICS_PORT=str(self.port))

    def scrape(self) -> Found:
        """Every sample by name and labels."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}/metrics", trust_env=False)
        families = text_string_to_metric_families(answer.raise_for_status().text)
        return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


@pytest.fixture(scope="module")
def measured(services: Services) -> Measured:
    return Measured(services)


@pytest.mark.slow
def test_one_scrape_counts_what_all_workers_have_answered(measured: Measured) -> None:
    before = measured.scrape()
    key = measured.service.key(ALICE)[1].encode()
    asked = {
        ("list_collections", "200"): head(b"GET", f"/v1/music/{HOME}/collections".encode(), b"X-API-Key: " + key),
        ("list_collections", "401"): head(b"GET", f"/v1/music/{HOME}/collections".encode(), b"X-API-Key: wrong"),
        ("get_liveness", "200"): head(b"GET", b"/v1/health/live"),
        ("none", "404"): head(b"GET", b"/v1/nothing"),
    }
    for request in asked.values():
        for _ in range(12):
            raw(measured.service, request)
    for operation, status in asked:
        labels = (("operation", operation), ("status", status))
        name = ("music_studio_request_seconds_count", labels)
        assert _soon(measured, name, before.get(name, 0.0) + 12)
        buckets = [
            (float(dict(found)["le"]), value)
            for (metric, found), value in measured.scrape().items()
            if metric == "music_studio_request_seconds_bucket" and dict(found).items() >= dict(labels).items()
        ]
        assert [value for _, value in sorted(buckets)] == sorted(value for _, value in buckets)
        assert max(buckets) == (float("inf"), before.get(name, 0.0) + 12)


def test_refusals_are_counted_by_quota(measured: Measured) -> None:
    client = measured.service.client(measured.service.key(ALICE)[1])
    name = ("music_studio_rate_limit_refusals_total", (("quota", "default"),))
    before = measured.scrape().get(name, 0.0)
    refused = [client.get("collections").status_code for _ in range(60)].count(429)
    assert refused > 0
    assert _soon(measured, name, before + refused)


def test_what_the_workers_hold_is_told(measured: Measured) -> None:
    assert _soon(measured, ("music_studio_workers", ()), 2.0)
    found = measured.scrape()
    assert found["music_studio_memory_bytes", ()] > 2 * 20 * 1024 * 1024
    for name in ("requests_in_flight", "database_connections_in_use", "rate_limit_store_unavailable"):
        assert found[f"music_studio_{name}", ()] >= 0


def test_the_dashboard_asks_for_metrics_that_there_are(measured: Measured) -> None:
    raw(measured.service, head(b"GET", b"/v1/health/live"))
    there = _told_of_requests(measured)
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall("music_studio_[a-z_]+", query)}
    assert len(asked) >= 8
    assert asked <= there, f"The dashboard asks for what nobody tells: {sorted(asked - there)}"
    told = {name for name in there if not name.endswith(("_created", "_sum"))}
    assert told <= asked, f"The dashboard shows nothing of: {sorted(told - asked)}"


def test_nothing_is_told_on_the_port_of_the_service(measured: Measured) -> None:
    assert httpx.get(f"{measured.service.url}/metrics", trust_env=False).status_code == 404


def _told_of_requests(measured: Measured) -> set[str]:
    """The names of all metrics, once a request is among what is counted."""
    deadline = time.monotonic() + 15
    there: set[str] = set()
    while "music_studio_request_seconds_count" not in there and time.monotonic() < deadline:
        there = {name for name, _ in measured.scrape()}
        time.sleep(0.1)
    return there


def _soon(measured: Measured, name: tuple[str, tuple[tuple[str, str], ...]], value: float) -> bool:
    """Whether a sample gets to this value and no further; workers leave their figures once a second."""
    deadline = time.monotonic() + 15
    while measured.scrape().get(name, 0.0) < value and time.monotonic() < deadline:
        time.sleep(0.2)
    return measured.scrape().get(name, 0.0) == value


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port: int = opened.getsockname()[1]
        return port
