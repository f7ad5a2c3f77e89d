"""nginx's own error pages as the error envelope: `python -m tools.deploy.nginx_errors` prints errors.conf."""

import json
import sys
from typing import NamedTuple

from web.contract import document as contract
from web.error_envelope import ErrorCatalog
from web.response_headers import DEFAULT_HEADERS

HSTS = "max-age=31536000"
OWN = {405: {"allow": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}, 503: {"retry-after": "1"}}
# nginx puts in what only it knows, once it answers: the id of the request, and the time in UTC whatever its zone is.
TRACE_ID = "$trace_id"
TIMESTAMP = '<!--# config timefmt="%Y-%m-%dT%H:%M:%SZ" --><!--# echo var="date_gmt" -->'
HEAD = """\
# Written by `make generate` from the contract's catalogue of errors, never by hand.
# Where nginx answers by itself, it answers as the service would."""


class Page(NamedTuple):
    """The statuses by which nginx means one thing, the code of the contract for it, and what a developer is told."""

    statuses: tuple[int, ...]
    code: str
    system_message: str


PAGES = (
    Page((400, 421, 497, 501, 505), "MALFORMED_REQUEST", "The proxy could not read the request"),
    Page((403, 404), "ENDPOINT_NOT_FOUND", "The proxy has nothing at this address"),
    Page((405,), "METHOD_NOT_ALLOWED", "The proxy does not allow this method"),
    Page((408,), "REQUEST_TIMEOUT", "The proxy waited too long for the request"),
    Page((413,), "PAYLOAD_TOO_LARGE", "The proxy takes no body of more than 1 MiB"),
    Page((414,), "URI_TOO_LONG", "The proxy takes no request line of more than 8 KiB"),
    Page((494,), "HEADERS_TOO_LARGE", "The proxy takes no header field of more than 8 KiB, and 32 KiB of them"),
    Page((500,), "INTERNAL_SERVER_ERROR", "The proxy failed"),
    Page((502, 503, 504), "SERVICE_UNAVAILABLE", "The proxy could not reach the service"),
)

CATALOG = ErrorCatalog(contract.document())


def conf() -> str:
    """The text of errors.conf, to be included in a `server` block."""
    return "\n\n".join([HEAD, *(_block(page) for page in PAGES)]) + "\n"


def _block(page: Page) -> str:
    status = CATALOG.entries[page.code].status
    # A location with a path, not a name: after a broken request line nginx has no address to go on with.
    path = f"/-/errors/{status}"
    lines = [
        f"error_page {' '.join(map(str, page.statuses))} ={status} {path};",
        f"location = {path} {{",
        *(f"    {line}" for line in ("internal;", "ssi on;", "ssi_types application/json;", *_fields(status))),
        "    default_type application/json;",
        f"    return {status} '{_body(page)}';",
        "}",
    ]
    return "\n".join(lines)


def _fields(status: int) -> list[str]:
    fields = DEFAULT_HEADERS | {"x-request-id": TRACE_ID, "strict-transport-security": HSTS} | OWN.get(status, {})
    return [f'add_header {name.title()} "{value}" always;' for name, value in fields.items()]


def _body(page: Page) -> str:
    row = CATALOG.entries[page.code]
    body = {
        "success": False,
        "error": {
            "code": page.code,
            "message": row.message,
            "system_message": page.system_message,
            "type": row.type,
            "status": row.status,
            "details": {},
            "trace_id": TRACE_ID,
            "timestamp": "TIMESTAMP",
        },
    }
    return json.dumps(body).replace("TIMESTAMP", TIMESTAMP)


if __name__ == "__main__":
    sys.stdout.write(conf())
