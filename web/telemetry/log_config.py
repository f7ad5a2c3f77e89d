"""Log lines: one JSON object each, or a readable form on a terminal; the standard library's loggers included."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import orjson
import structlog

from web.redaction import redact
from web.telemetry.access_log import RequestRecord, RequestTuple, access_log, format_line
from web.telemetry.stderr_writer import StderrWriter

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(form: str = "auto", level: str = "info") -> None:
    """Sends every log line of the process to standard error; secrets are masked here, whoever logs them."""
    lines = StderrWriter(sys.stderr.fileno(), access_log.flush)
    readable = form == "text" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper("iso", utc=True)]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    render: Any = plain if readable else _json
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, lambda *line: redact(render(*line))],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    access_log.write = _writer(lines, readable=readable, wanted=_LEVELS[level] <= logging.INFO)
    _adopt_standard_loggers(_LEVELS[level])
    logging.captureWarnings(True)


def _writer(lines: StderrWriter, *, readable: bool, wanted: bool) -> Callable[[list[RequestTuple]], None] | None:
    """What writes the lines of requests."""
    if not wanted:
        return None
    return _write_text if readable else lambda gathered: lines.write(map(format_line, gathered))


def _write_text(gathered: list[RequestTuple]) -> None:
    log = structlog.get_logger()
    for told in map(RequestRecord._make, gathered):
        ms, trace = round(told.seconds * 1000, 3), {} if told.trace is None else {"trace": told.trace}
        log.info("request", trace_id=told.request_id, method=told.method, operation=told.operation, status=told.status,
                 ms=ms, key_id=told.key_id, **trace)  # fmt: skip


def _json(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> str:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return json.dumps(event, default=repr)  # a text with a lone surrogate is no UTF-8, and must be logged too


class _Bridge(logging.Handler):
    """Hands the records of the standard library's loggers to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def _adopt_standard_loggers(level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(max(level, logging.WARNING))
    # It warns of every illegal request, in words of its own; web.server.protocol logs those requests with their ids.
    logging.getLogger("uvicorn.error").setLevel(max(level, logging.ERROR))
