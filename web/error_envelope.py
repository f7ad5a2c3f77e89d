"""The error envelope: the only module that builds an error body, from the contract's error catalog.

Decision 9.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import orjson
import structlog

from models.exceptions import Failure
from web.contract.security import challenges
from web.exceptions import InternalError
from web.redaction import redact
from web.responses import Response

MAX_TEXT_LENGTH = 128
RETRY_AFTER_SECONDS = 1  # of a response of 500 and above whose failure names no other time
log = structlog.get_logger("web.error_envelope")


class CatalogEntry(NamedTuple):
    """Status, type and message of one error code, and the Link field to its page (RFC 8288), empty without a page."""

    status: int
    type: str
    message: str
    link: str


class ErrorCatalog:
    """The error codes of a contract (`x-errors`); converts exceptions to responses.

    The page of the codes is the contract's `externalDocs`; its address begins with `public_url` if that is known.
    """

    def __init__(self, document: dict[str, Any], public_url: str = "") -> None:
        schema = document["components"]["schemas"]["ErrorCode"]
        page = schema.get("externalDocs", {}).get("url", "")
        page = public_url + page if page.startswith("/") else page
        self.entries = {
            code: CatalogEntry(e["status"], e["type"], e["message"], _link(page, code))
            for code, e in schema["x-errors"].items()
        }
        self._challenges = challenges(document)

    def status(self, failure: Failure) -> int:
        """The status of the failure's code."""
        return self.entries[failure.code].status

    def to_response(self, error: BaseException, request_id: str) -> Response:
        """The error response of a Failure. Any other exception is logged, and its 500 contains only the request id."""
        failure = error if isinstance(error, Failure) else _internal_error(error, request_id)
        entry = self.entries[failure.code]
        body = {
            "code": failure.code,
            "message": entry.message,
            "system_message": failure.system_message,
            "type": entry.type,
            "status": entry.status,
            "details": _redact(failure.details),
            "trace_id": request_id,
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        envelope = {"success": False, "error": body}
        return Response(entry.status, self._headers(failure, entry), orjson.dumps(envelope), envelope)

    def _headers(self, failure: Failure, entry: CatalogEntry) -> dict[str, str]:
        headers = {"content-type": "application/json"} | dict(getattr(failure, "headers", {}))
        if entry.link:
            headers["link"] = entry.link
        retry_after = getattr(failure, "retry_after", RETRY_AFTER_SECONDS if entry.status >= 500 else None)
        if retry_after is not None:
            headers["retry-after"] = str(retry_after)
        if entry.status == 401:
            headers["www-authenticate"] = self._challenges
        return headers


def _link(page: str, code: str) -> str:
    return f'<{page}#{code.lower()}>; rel="help"' if page else ""


def _redact(value: Any) -> Any:
    """The details with secrets masked and each text cut to MAX_TEXT_LENGTH characters."""
    if isinstance(value, str):
        value = redact(value)
        return value if len(value) <= MAX_TEXT_LENGTH else value[: MAX_TEXT_LENGTH - 1] + "\N{HORIZONTAL ELLIPSIS}"
    if isinstance(value, dict):
        return {key: _redact(item) for key, item in value.items()}
    return [_redact(item) for item in value] if isinstance(value, list) else value


def _internal_error(error: BaseException, request_id: str) -> Failure:
    log.error("unexpected failure", trace_id=request_id, exc_info=error)
    return InternalError("Something went wrong on our side; the trace id finds it in the log")
