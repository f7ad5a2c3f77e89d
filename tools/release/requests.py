"""The operations of a contract as files of requests: a Postman collection (v2.1.0), and a `.http` file.

The requests are those of the samples, with the contract's examples. They are in an order in which all can be sent to a
server with the demo data, one after the other: reads first in each tag, deletions last, and what others refer to at the
end.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from docsite import samples
from docsite.operations import Operation, operations
from docsite.samples import Request

POSTMAN_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
BASE_URL, API_KEY = "base_url", "api_key"
LOCAL = "http://127.0.0.1:8080"
KEY_HEADER = "X-API-Key"
# Tags whose deletions the requests of others would notice.
_LAST = ("collections", "tracks")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def postman(document: dict[str, Any]) -> dict[str, Any]:
    """The Postman collection: a folder for each tag, and variables for the server and the key."""
    info, folders = document["info"], _by_tag(document)
    return {
        "info": {
            "_postman_id": str(uuid.uuid5(uuid.NAMESPACE_URL, info["title"])),
            "name": info["title"],
            "version": info["version"],
            "schema": POSTMAN_SCHEMA,
        },
        "auth": {"type": "apikey", "apikey": _pairs(key=KEY_HEADER, value=_variable(API_KEY), **{"in": "header"})},
        "variable": [{"key": BASE_URL, "value": LOCAL}, {"key": API_KEY, "value": ""}],
        "item": [{"name": title, "item": [_item(found) for found in listed]} for title, listed in folders.items()],
    }


def http_file(document: dict[str, Any]) -> str:
    """The `.http` file, as editors and httpyac run it."""
    info = document["info"]
    head = [f"# {info['title']} {info['version']}", f"@{BASE_URL} = {LOCAL}", f"@{API_KEY} = ", ""]
    requests = [_as_text(found) for listed in _by_tag(document).values() for found in listed]
    return "\n".join([*head, *requests])


def _by_tag(document: dict[str, Any]) -> dict[str, list[Request]]:
    """The requests by title of their tag; without those whose address is a secret, which no example has."""
    tags = sorted(document["tags"], key=lambda tag: _LAST.index(tag["name"]) if tag["name"] in _LAST else -1)
    titles = {tag["name"]: tag.get("x-displayName", tag["name"]) for tag in tags}
    found = [operation for operation in operations(document) if "x-invalid-request" not in operation.node]
    found.sort(key=lambda operation: (_METHODS.index(operation.method), -operation.path.count("/")))
    return {title: list(_requests(tag, found)) for tag, title in titles.items() if any(o.tag == tag for o in found)}


def _requests(tag: str, found: list[Operation]) -> Iterator[Request]:
    return (samples.request(operation, _variable(BASE_URL)) for operation in found if operation.tag == tag)


def _item(request: Request) -> dict[str, Any]:
    operation = request.operation
    parts = urlsplit(request.url.removeprefix(_variable(BASE_URL)))
    query = [{"key": name, "value": value} for name, value in parse_qsl(parts.query)]
    url = {"raw": request.url, "host": [_variable(BASE_URL)], "path": parts.path.split("/")[1:], "query": query}
    sent: dict[str, Any] = {
        "method": operation.method,
        "description": operation.description,
        "url": url if query else {name: value for name, value in url.items() if name != "query"},
        "header": [{"key": name, "value": value} for name, value in _headers(request).items()],
    }
    if operation.body is not None:
        sent["body"] = {"mode": "raw", "raw": _body(request), "options": {"raw": {"language": "json"}}}
    if not operation.secured:
        sent["auth"] = {"type": "noauth"}
    return {"name": operation.summary, "request": sent, "event": [_status_test(operation)]}


def _status_test(operation: Operation) -> dict[str, Any]:
    statuses = [status for status in sorted(operation.by_status) if status < 400]
    lines = [
        "pm.test('the status is one of a success', () => {",
        f"    pm.expect(pm.response.code).to.be.oneOf({json.dumps(statuses)});",
        "});",
    ]
    return {"listen": "test", "script": {"type": "text/javascript", "exec": lines}}


def _as_text(request: Request) -> str:
    operation = request.operation
    headers = _headers(request) | ({KEY_HEADER: _variable(API_KEY)} if operation.secured else {})
    lines = [
        f"### {operation.summary}",
        f"# @name {operation.id}",
        f"{operation.method} {request.url}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
    ]
    return "\n".join([*lines, _body(request), ""] if operation.body is not None else lines)


def _headers(request: Request) -> dict[str, str]:
    content_type = {"Content-Type": "application/json"} if request.operation.body is not None else {}
    keyed = {samples.IDEMPOTENCY_KEY: "{{$guid}}"} if request.keyed else {}
    return keyed | content_type | request.headers


def _body(request: Request) -> str:
    return json.dumps(request.body, indent=2, ensure_ascii=False)


def _variable(name: str) -> str:
    return "{{" + name + "}}"


def _pairs(**values: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value, "type": "string"} for key, value in values.items()]
