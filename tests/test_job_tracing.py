"""Traces from a request to its piece: the job keeps the trace context, and the spans of the worker belong to it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from models import keys
from models.audio_store import AudioStore
from models.db.database import Database
from studio.engines.base import EngineFailed
from tests.test_tracing import PARENT, THEIRS, Collector, attributes
from tools.testing import databases
from tools.testing.jobs import HOME, ask, caller, row, take
from tools.testing.server_process import Running
from tools.testing.service import PEPPER, READ, WRITE
from tools.testing.studio_workers import Studio
from worker import production
from worker.jobs import Runner
from worker.policy import Policy
from worker.tracing import JobTracing

PROMPT = "a prompt that nobody but the caller may read"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def address(collector: Collector) -> str:
    return f"http://127.0.0.1:{collector.server_port}"


def spans(collector: Collector, count: int) -> dict[str, Span]:
    """The spans by their names, but for the probes of health, once there are so many."""
    ends, found = time.monotonic() + 30, list[Span]()
    while len(found) < count and time.monotonic() < ends:
        time.sleep(0.02)
        found = [span for span in list(collector.spans) if "health" not in span.name]
    assert len(found) == count, [span.name for span in found]
    return {span.name: span for span in found}


@pytest.fixture
def runner(collector: Collector, tmp_path: Path) -> Iterator[Runner]:
    """A worker's runner in this process, which sends its spans to the collector."""
    spool = tmp_path / "spool"
    spool.mkdir()
    store, tracing = AudioStore("memory:///"), JobTracing(address(collector), "1.0")
    with databases.migrated("sqlite", tmp_path) as url, Database(url, pool_size=2):
        yield Runner(store, Policy, {}, spool, lambda: False, lambda _seconds: None, tracing=tracing)


def run(runner: Runner, **fields: Any) -> Any:
    job = ask("ida", prompt=PROMPT, **fields)
    work = take("worker_me")
    assert work is not None
    runner.run(work)
    return row(job)


def test_the_spans_of_a_job_are_children_of_its_request(runner: Runner, collector: Collector) -> None:
    job = run(runner, trace_context=f"00-{THEIRS}-{PARENT}-01")
    assert job.status == "succeeded"
    found = spans(collector, 3)
    assert set(found) == {"make piece", "render", "store"}
    whole = found["make piece"]
    assert (whole.trace_id.hex(), whole.parent_span_id.hex()) == (THEIRS, PARENT)
    assert whole.kind == Span.SPAN_KIND_CONSUMER
    assert attributes(whole) == {
        "job.id": job.id, "job.attempt": 1, "job.engine": "studio", "job.seconds": 1, "job.outcome": "succeeded",
    }  # fmt: skip
    for step in (found["render"], found["store"]):
        assert (step.trace_id, step.parent_span_id) == (whole.trace_id, whole.span_id)
    assert collector.services == {"music-studio"}
    assert PROMPT not in str(collector.spans)


def test_a_failure_is_an_error_without_its_text(
    runner: Runner, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise EngineFailed("It broke.", PROMPT)

    monkeypatch.setattr(production, "make", fail)
    assert run(runner).status == "failed"
    whole = spans(collector, 2)["make piece"]
    assert not whole.parent_span_id, "a job of an untraced request begins a trace"
    assert (attributes(whole)["job.outcome"], attributes(whole)["error.type"]) == ("failed", "failed")
    assert PROMPT not in str(collector.spans)


def test_a_request_that_is_not_sampled_has_no_span_of_a_job(runner: Runner, collector: Collector) -> None:
    run(runner, trace_context=f"00-{THEIRS}-{PARENT}-00")
    run(runner, trace_context=f"00-{'1' * 32}-{PARENT}-01")
    assert {span.trace_id.hex() for span in spans(collector, 3).values()} == {"1" * 32}


@pytest.mark.slow
def test_one_trace_leads_from_a_request_to_its_piece(collector: Collector, tmp_path: Path) -> None:
    with databases.migrated("sqlite", tmp_path) as url:
        studio = Studio(url, tmp_path)
        server = _serving(studio, tmp_path, address(collector))
        try:
            server.await_ready()
            with studio.database.use():
                caller("ida")
                secret = keys.make(HOME, "ida", [READ, WRITE], None, pepper=PEPPER.encode())[1]
            headers = {"X-API-Key": secret, "traceparent": f"00-{THEIRS}-{PARENT}-01"}
            body = {"engine": "cat", "prompt": PROMPT, "duration_seconds": 1}
            place = f"{server.url}/v1/music/{HOME}/generations"
            answer = httpx.post(place, json=body, headers=headers, trust_env=False)
            assert answer.status_code == 202, answer.text
            found = spans(collector, 4)
        finally:
            server.process.kill()
            server.process.wait()
            studio.close()
    assert {span.trace_id.hex() for span in found.values()} == {THEIRS}
    request = found["POST /v1/music/{organization_id}/generations"]
    whole = found["make piece"]
    assert (request.parent_span_id.hex(), whole.parent_span_id) == (PARENT, request.span_id)
    assert attributes(whole)["job.id"] == answer.json()["id"]
    assert {span.parent_span_id for name, span in found.items() if name in ("render", "store")} == {whole.span_id}


def _serving(studio: Studio, folder: Path, collector: str) -> Running:
    given = {name: studio.environ[f"MUSIC_STUDIO_{name}"] for name in ("AUDIO_URL", "COMMAND_ENGINES", "WORKER_DIR")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        return Running(studio.environ["MUSIC_STUDIO_DATABASE_URL"], folder, workers=1, WORKERS_STUDIO="1", **given)
