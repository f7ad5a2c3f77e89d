"""Log configuration: one JSON object per line, or text on a terminal; includes the standard library's loggers."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import orjson
import structlog

from web.redaction import mask_credentials
from web.telemetry.access_log import RequestRecord, RequestTuple, access_log, format_line
from web.telemetry.line_writer import LineWriter
from web.telemetry.standard_streams import stderr_writer

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(form: str = "auto", level: str = "info") -> LineWriter:
    """Sends every log line of the process to standard error, with secrets masked; returns the writer of the lines."""
    writer = stderr_writer()
    readable = form == "text" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper("iso", utc=True)]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    render: Any = plain if readable else _json
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, lambda *line: mask_credentials(render(*line))],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=False,
    )
    access_log.write = _access_log_writer(writer, readable=readable, enabled=_LEVELS[level] <= logging.INFO)
    _adopt_standard_loggers(_LEVELS[level])
    logging.captureWarnings(True)
    return writer


def _access_log_writer(
    writer: LineWriter, *, readable: bool, enabled: bool
) -> Callable[[list[RequestTuple]], None] | None:
    if not enabled:
        return None
    return _write_text if readable else lambda records: writer.write(map(format_line, records))


def _write_text(records: list[RequestTuple]) -> None:
    log = structlog.get_logger()
    for record in map(RequestRecord._make, records):
        ms, trace = round(record.seconds * 1000, 3), {} if record.trace is None else {"trace": record.trace}
        log.info("request", trace_id=record.request_id, method=record.method, operation=record.operation,
                 status=record.status, ms=ms, key_id=record.key_id, **trace)  # fmt: skip


def _json(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> str:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return json.dumps(event, default=repr)  # orjson refuses a text with a lone surrogate


class _Bridge(logging.Handler):
    """Passes the records of the standard library's loggers to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def _adopt_standard_loggers(level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(max(level, logging.WARNING))
    # uvicorn warns of each malformed request; web.server.error_response logs those requests with their ids.
    logging.getLogger("uvicorn.error").setLevel(max(level, logging.ERROR))
