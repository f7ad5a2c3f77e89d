"""OpenTelemetry tracing: one span per request, if a collector is configured; only then its library is imported."""

from __future__ import annotations

import atexit
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from web.asgi import App, Message, Receive, Scope, Send
from web.context import current_request
from web.redaction import redact

if TYPE_CHECKING:
    from opentelemetry.trace import Span

TRACE = "music_studio.trace"
TRACE_CONTEXT = "music_studio.trace_context"
TIMEOUT_SECONDS = 3
# The methods that semantic conventions know; any other is a text of the client.
METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
OTHER = "_OTHER"
LAST_SPANS_SECONDS = 1.0


class TracingMiddleware:
    """ASGI middleware that opens a span per request, with the parent from `traceparent` (W3C Trace Context)."""

    def __init__(self, app: App, endpoint: str, version: str) -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self.app = app
        self._kind = SpanKind.SERVER
        self._propagator = TraceContextTextMapPropagator()
        self._tracer = tracer(endpoint, version)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        parent = self._propagator.extract(carrier)
        # A recorded exception would have its text and traceback, which no redaction has seen.
        opened = self._tracer.start_as_current_span(
            _method(scope["method"]), parent, self._kind, record_exception=False, set_status_on_exception=False
        )
        with opened as span:
            trace = f"{span.get_span_context().trace_id:032x}"
            own: dict[str, str] = {}
            self._propagator.inject(own)
            extended = {**scope, TRACE: trace, TRACE_CONTEXT: own.get("traceparent")}
            await self.app(extended, receive, _record_status(span, send))
            _describe(span)


def trace_context() -> str | None:
    """The `traceparent` of the current request's span, for what goes on after the response; None without tracing."""
    found: str | None = current_request.get().scope.get(TRACE_CONTEXT)
    return found


def tracer(endpoint: str, version: str) -> Any:
    """A tracer of OpenTelemetry that sends its spans to a collector, by OTLP over HTTP."""
    return _provider(endpoint, version).get_tracer("music-studio", version)


def _provider(endpoint: str, version: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    ours = Resource({"service.name": "music-studio", "service.version": version})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces", timeout=TIMEOUT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    atexit.register(_shut_down, provider)
    return provider


def _shut_down(provider: Any) -> None:
    """Sends the last spans, for 1 s at most: OpenTelemetry's own shutdown waits up to 30 s for a collector."""
    last = Thread(target=provider.shutdown, name="last spans", daemon=True)
    last.start()
    last.join(LAST_SPANS_SECONDS)


def _record_status(span: Span, send: Send) -> Send:
    async def send_and_record(message: Message) -> None:
        if message["type"] == "http.response.start":
            span.set_attribute("http.response.status_code", message["status"])
            if message["status"] >= 500:
                span.set_attribute("error.type", str(message["status"]))
        await send(message)

    return send_and_record


def _method(method: str) -> str:
    return method if method in METHODS else OTHER


def _without_secrets(path: str) -> str:
    """The path as it was sent; decoded where an escape could hide a secret."""
    plain = unquote(path)
    masked = redact(plain)
    return path if masked == plain else masked


def _describe(span: Span) -> None:
    """Sets attributes of OpenTelemetry's semantic conventions; none contains the query or a credential."""
    context = current_request.get()
    span.set_attribute("http.request.method", _method(context.method))
    span.set_attribute("url.path", _without_secrets(context.path.decode("latin-1")))
    span.set_attribute("request.id", context.request_id)
    if context.operation is not None:
        span.update_name(f"{context.method} {context.operation.path}")
        span.set_attribute("http.route", context.operation.path)
        span.set_attribute("operation.id", context.operation.id)
