"""Metrics: one scrape has the requests of all workers, and the dashboard queries existing metrics."""

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


class MeasuredServer:
    """A server with two workers and a metrics port."""

    def __init__(self, services: Services) -> None:
        self.port = _free_port()
        url = services.actors("sqlite").service.database_url
        self.service = services.start(url, WORKERS="2", RATE_LIMIT="20/day", METRICS_PORT=str(self.port))

    def scrape(self) -> Found:
        """Every sample by name and labels."""
        response = httpx.get(f"http://127.0.0.1:{self.port}/metrics", trust_env=False)
        families = text_string_to_metric_families(response.raise_for_status().text)
        return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


@pytest.fixture(scope="module")
def measured(services: Services) -> MeasuredServer:
    return MeasuredServer(services)


@pytest.mark.slow
def test_one_scrape_counts_requests_of_all_workers(measured: MeasuredServer) -> None:
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
        assert _reaches(measured, name, before.get(name, 0.0) + 12)
        buckets = [
            (float(dict(found)["le"]), value)
            for (metric, found), value in measured.scrape().items()
            if metric == "music_studio_request_seconds_bucket" and dict(found).items() >= dict(labels).items()
        ]
        assert [value for _, value in sorted(buckets)] == sorted(value for _, value in buckets)
        assert max(buckets) == (float("inf"), before.get(name, 0.0) + 12)


def test_rate_limit_rejections_are_counted_by_quota(measured: MeasuredServer) -> None:
    client = measured.service.client(measured.service.key(ALICE)[1])
    name = ("music_studio_rate_limit_rejections_total", (("quota", "default"),))
    before = measured.scrape().get(name, 0.0)
    refused = [client.get("collections").status_code for _ in range(60)].count(429)
    assert refused > 0
    assert _reaches(measured, name, before + refused)


def test_worker_gauges_are_exported(measured: MeasuredServer) -> None:
    assert _reaches(measured, ("music_studio_workers", ()), 2.0)
    found = measured.scrape()
    assert found["music_studio_memory_bytes", ()] > 2 * 20 * 1024 * 1024
    for name in ("requests_in_flight", "database_connections_in_use", "rate_limit_store_unavailable"):
        assert found[f"music_studio_{name}", ()] >= 0


def test_dashboard_queries_existing_metrics(measured: MeasuredServer) -> None:
    raw(measured.service, head(b"GET", b"/v1/health/live"))
    existing = _metric_names(measured)
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall("music_studio_[a-z_]+", query)}
    assert len(asked) >= 8
    assert asked <= existing, f"The dashboard queries unknown metrics: {sorted(asked - existing)}"
    shown = {name for name in existing if not name.endswith(("_created", "_sum"))}
    assert shown <= asked, f"The dashboard does not show: {sorted(shown - asked)}"


def test_service_port_serves_no_metrics(measured: MeasuredServer) -> None:
    assert httpx.get(f"{measured.service.url}/metrics", trust_env=False).status_code == 404


def _metric_names(measured: MeasuredServer) -> set[str]:
    """Waits until a request is counted; returns the names of all metrics."""
    deadline = time.monotonic() + 15
    there: set[str] = set()
    while "music_studio_request_seconds_count" not in there and time.monotonic() < deadline:
        there = {name for name, _ in measured.scrape()}
        time.sleep(0.1)
    return there


def _reaches(measured: MeasuredServer, name: tuple[str, tuple[tuple[str, str], ...]], value: float) -> bool:
    """Whether a sample reaches exactly this value; workers write their metrics once a second."""
    deadline = time.monotonic() + 15
    while measured.scrape().get(name, 0.0) < value and time.monotonic() < deadline:
        time.sleep(0.2)
    return measured.scrape().get(name, 0.0) == value


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port: int = opened.getsockname()[1]
        return port
