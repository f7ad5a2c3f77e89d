"""HTTP proxy whose answers are those of a later minor version: each object has one more field, a 404 has a new code."""

from __future__ import annotations

import http.client
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NEW_CODE = "COLLECTION_ARCHIVED"
_PER_CONNECTION = {"connection", "content-length", "date", "transfer-encoding"}


class GrowingProxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.origin = port
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GrowingProxy

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.origin)
        upstream.request(self.command, self.path, body, dict(self.headers.items()))
        response = upstream.getresponse()
        content = json.dumps(grown(json.loads(response.read()))).encode()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _PER_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    do_GET = do_POST = do_PATCH = _respond

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class calls it so
        """No log."""


def grown(value: Any) -> Any:
    """The value with one more field in each object, and with the new code in place of RESOURCE_NOT_FOUND."""
    if isinstance(value, list):
        return [grown(item) for item in value]
    if isinstance(value, dict):
        return {name: grown(item) for name, item in value.items()} | {"is_favorite": True}
    return NEW_CODE if value == "RESOURCE_NOT_FOUND" else value
