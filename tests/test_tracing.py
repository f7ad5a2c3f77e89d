"""Tracing: one span per request in a real OTLP collector, as part of the client's trace."""

import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tools.testing.cases import head
from tools.testing.raw_client import RawClient, address
from tools.testing.service import ALICE, Service, Services, new_collection

THEIRS, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector(ThreadingHTTPServer):
    """Receives and stores spans by OTLP over HTTP (OpenTelemetry Protocol 1.x, binary protobuf)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Span] = []
        self.services: set[str] = set()

    def span(self, request_id: str) -> Span | None:
        """Waits up to 5 s for the span of a request; None without one."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for span in list(self.spans):
                if attributes(span)["request.id"] == request_id:
                    return span
            time.sleep(0.05)
        return None


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in sent.resource_spans:
            self.server.services |= {
                a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
            }
            self.server.spans += [span for scope in resource.scope_spans for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """No log."""


def attributes(span: Span) -> dict[str, str | int]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def traced(services: Services, collector: Collector) -> Service:
    url = services.actors("sqlite").service.database_url
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        patch.setenv("NO_PROXY", "127.0.0.1")
        return services.start(url)


def test_a_request_is_a_span_that_names_its_operation(traced: Service, collector: Collector) -> None:
    client = traced.client(traced.key(ALICE)[1])
    made = new_collection(client)["id"]
    response = client.get(f"collections/{made}")
    span = collector.span(response.headers["X-Request-ID"])
    assert span is not None
    assert span.name == "GET /v1/music/{organization_id}/collections/{collection_id}"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert span.end_time_unix_nano > span.start_time_unix_nano
    assert attributes(span) | {"request.id": ""} == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/v1/music/{organization_id}/collections/{collection_id}",
        "operation.id": "get_collection",
        "request.id": "",
        "url.path": f"/v1/music/org_home1/collections/{made}",
    }
    assert collector.services == {"music-studio"}


def test_client_trace_is_continued(traced: Service, collector: Collector) -> None:
    client = traced.client(traced.key(ALICE)[1])
    response = client.get("collections", headers={"traceparent": f"00-{THEIRS}-{PARENT}-01"})
    span = collector.span(response.headers["X-Request-ID"])
    assert span is not None
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (THEIRS, PARENT)
    assert [line["trace"] for line in traced.log_lines(response.headers["X-Request-ID"])] == [THEIRS]


@pytest.mark.parametrize(
    "wrong",
    [
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{THEIRS}-{'0' * 16}-01",
        f"ff-{THEIRS}-{PARENT}-01",
        f"00-{THEIRS.upper()}x-{PARENT}-01",
        "nonsense",
    ],
)
def test_malformed_traceparent_is_ignored(traced: Service, collector: Collector, wrong: str) -> None:
    response = traced.client(traced.key(ALICE)[1]).get("collections", headers={"traceparent": wrong})
    assert response.status_code == 200
    span = collector.span(response.headers["X-Request-ID"])
    assert span is not None
    assert span.trace_id.hex() != THEIRS
    assert not span.parent_span_id


def test_unsampled_client_trace_is_not_exported(traced: Service, collector: Collector) -> None:
    client = traced.client(traced.key(ALICE)[1])
    left_out = client.get("collections", headers={"traceparent": f"00-{THEIRS}-{PARENT}-00"})
    after = client.get("collections")
    assert collector.span(after.headers["X-Request-ID"]) is not None
    assert left_out.headers["X-Request-ID"] not in {attributes(span)["request.id"] for span in collector.spans}


def test_span_contains_no_credential(traced: Service, collector: Collector) -> None:
    secret = traced.key(ALICE)[1]
    response = traced.client(secret).get(f"collections?limit={secret}")
    span = collector.span(response.headers["X-Request-ID"])
    assert span is not None
    assert secret not in str(span)


def test_tracing_is_off_without_a_collector(services: Services) -> None:
    service = services.actors("sqlite").service
    response = service.client(service.key(ALICE)[1]).get(
        "collections", headers={"traceparent": f"00-{THEIRS}-{PARENT}-01"}
    )
    assert ["trace" in line for line in service.log_lines(response.headers["X-Request-ID"])] == [False]


@pytest.mark.parametrize("before", ["shr_", "%73hr_", "sh%72%5F"])
def test_span_contains_no_token_of_a_share_link(traced: Service, collector: Collector, before: str) -> None:
    token = f"{before}{secrets.token_hex(16)}"
    response = traced.client().get(f"{traced.url}/v1/music/shared/{token}")
    span = collector.span(response.headers["X-Request-ID"])
    assert span is not None
    assert attributes(span)["url.path"] == "/v1/music/shared/***"
    assert token[-32:] not in str(span)


def test_no_span_holds_a_key_or_a_text_for_a_method(traced: Service, collector: Collector) -> None:
    key = traced.key(ALICE)[1]
    with RawClient(address(traced)) as client:
        client.send(head(b"PROPFIND", b"/v1/music/" + key.encode(), b"X-Request-ID: req_with_a_key"))
        client.response()
    span = collector.span("req_with_a_key")
    assert span is not None
    assert attributes(span)["url.path"] == "/v1/music/***"
    assert attributes(span)["http.request.method"] == "_OTHER"
    assert key not in str(span)
    assert "PROPFIND" not in str(span)
