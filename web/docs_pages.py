"""Serves /docs: the static files of docsite/static/ and the pages generated from the contract."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import flask
from werkzeug.exceptions import HTTPException

from web.context import current_request
from web.error_envelope import ErrorCatalog
from web.exceptions import NoSuchEndpoint
from web.http import preconditions

PATH = "/docs"
HOME = Path(__file__).parents[1] / "docsite" / "static"
# Made pages name this address; where they are served, the reader's own stands in its place.
ORIGIN = "http://127.0.0.1:8080"
_NOTHING_ELSE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    f"font-src 'self' data:; connect-src 'self'; {_NOTHING_ELSE}"
)
PLAIN = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"default-src 'none'; style-src 'self'; img-src data:; {_NOTHING_ELSE}",
}
MARKDOWN = {"Content-Type": "text/markdown; charset=utf-8"}
_SCRIPT = {"Content-Type": "text/javascript; charset=utf-8"}
FILES: dict[str, tuple[str, dict[str, str]]] = {
    "": ("index.html", {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}),
    "start.js": ("start.js", _SCRIPT),
    "scalar.js": ("scalar.js", _SCRIPT),
    "page.css": ("page.css", {"Content-Type": "text/css; charset=utf-8"}),
}
# A copy may be kept, and is asked about before each use: after an upgrade nobody sees a mixture of old and new.
_KEPT = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding, Origin"}


class Page(NamedTuple):
    """What is at one path: the bytes, and the fields that say what they are."""

    content: bytes
    headers: Mapping[str, str]


PageFactory = Callable[[str], Page | None]
"""The page at a path below PATH, or None where there is none; it is asked once for each path."""


class EncodedPage(NamedTuple):
    """A page as it is sent: the bytes and their header fields, with a strong entity tag (RFC 9110 section 8.8.3)."""

    body: bytes
    headers: dict[str, str]


def register_docs(app: flask.Flask, make: PageFactory, public_url: str, errors: ErrorCatalog) -> None:
    """Serve what is below PATH; any other path there gives the error of NoSuchEndpoint.

    The samples of the pages call `public_url`, or the host that the request names where it is empty.
    """

    def handle(error: Exception) -> flask.Response:
        if isinstance(error, HTTPException):
            error = NoSuchEndpoint("No page has that path")
        response = errors.to_response(error, current_request.get().request_id)
        return flask.Response(response.body, response.status, response.headers)

    for kind in (Exception, HTTPException):  # Connexion has a handler of its own for the second
        app.register_error_handler(kind, handle)
    app.url_map.merge_slashes = False  # Flask would redirect, to whatever host the request names.
    view = partial(_serve, cache(make), public_url)
    app.add_url_rule(PATH, endpoint=PATH, view_func=view, defaults={"path": ""})
    app.add_url_rule(f"{PATH}/", endpoint=f"{PATH}/", view_func=view, defaults={"path": "/"})
    app.add_url_rule(f"{PATH}/<path:path>", endpoint=f"{PATH}/...", view_func=view)


def _serve(make: PageFactory, public_url: str, path: str) -> flask.Response:
    packed = flask.request.accept_encodings["gzip"] > 0
    form = _file(path, packed=packed) if path in FILES else _made(make, path, public_url or _origin(), packed=packed)
    if form is None:
        raise NoSuchEndpoint("No page has that path")
    if preconditions.is_known(flask.request.headers.get("If-None-Match"), form.headers["ETag"]):
        # A browser takes over the fields of a 304 (RFC 9111 section 3.2), so the policy has to be among them.
        kept = {name: value for name, value in form.headers.items() if name != "Content-Encoding"}
        return flask.Response(status=304, headers=kept)
    return flask.Response(form.body, headers=form.headers)


def _origin() -> str:
    host = flask.request.host
    return f"http://{host}" if re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", host) else ORIGIN


@cache
def _file(path: str, *, packed: bool) -> EncodedPage:
    """A file of docsite/static/, read when it is first asked for, so that the server does not start later for it."""
    name, headers = FILES[path]
    return _encode((HOME / name).read_bytes(), headers, packed=packed)


@lru_cache(maxsize=64)
def _made(make: PageFactory, path: str, origin: str, *, packed: bool) -> EncodedPage | None:
    page = make(path)
    if page is None:
        return None
    return _encode(page.content.replace(ORIGIN.encode(), origin.encode()), page.headers, packed=packed)


def _encode(content: bytes, headers: Mapping[str, str], *, packed: bool) -> EncodedPage:
    digest = hashlib.sha256(content).hexdigest()[:16]
    if packed:
        coding = {"Content-Encoding": "gzip", "ETag": f'"{digest}-gzip"'}
        return EncodedPage(gzip.compress(content, mtime=0), {**headers, **_KEPT, **coding})
    return EncodedPage(content, {**headers, **_KEPT, "ETag": f'"{digest}"'})
