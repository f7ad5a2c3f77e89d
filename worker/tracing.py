"""Spans of a worker, as part of the trace of the request that asked for the piece; OpenTelemetry only if configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

from worker.tasks import Task

# The outcomes that are errors in OpenTelemetry's sense.
ERRORS = ("failed", "retried")


class Tracing(Protocol):
    """Opens a span for each job, and for the steps within it."""

    def job(self, task: Task) -> AbstractContextManager[object]:
        """The span of one attempt at a job."""

    def step(self, name: str) -> AbstractContextManager[object]:
        """A span within the current one."""

    def end(self, outcome: str) -> None:
        """Notes how the attempt has ended, in the span of the job."""


class NoTracing:
    """Without a collector: nothing."""

    def job(self, _task: Task) -> AbstractContextManager[object]:
        """Nothing."""
        return nullcontext()

    def step(self, _name: str) -> AbstractContextManager[object]:
        """Nothing."""
        return nullcontext()

    def end(self, _outcome: str) -> None:
        """Nothing."""


class JobTracing:
    """Sends spans to the collector at `endpoint`, by OTLP over HTTP.

    No span has a prompt, a title or a text of an exception.
    """

    def __init__(self, endpoint: str, version: str) -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        from web.telemetry.tracing import tracer

        self._tracer = tracer(endpoint, version)
        self._kind = SpanKind.CONSUMER
        self._propagator = TraceContextTextMapPropagator()
        self._span: Any = None

    @contextmanager
    def job(self, task: Task) -> Iterator[None]:
        """The span of one attempt; its parent is the span of the request, whose sampling decision is kept."""
        carrier = {} if task.trace_context is None else {"traceparent": task.trace_context}
        attributes = {
            "job.id": task.id,
            "job.attempt": task.attempt,
            "job.engine": task.engine,
            "job.seconds": task.seconds,
        }
        parent = self._propagator.extract(carrier)
        opened = self._tracer.start_as_current_span(
            "make piece",
            parent,
            self._kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        )
        with opened as self._span:
            yield

    def step(self, name: str) -> AbstractContextManager[object]:
        """A child of the span of the job."""
        opened: AbstractContextManager[object] = self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        )
        return opened

    def end(self, outcome: str) -> None:
        """Sets the outcome, and that it is an error."""
        self._span.set_attribute("job.outcome", outcome)
        if outcome in ERRORS:
            self._span.set_attribute("error.type", outcome)
