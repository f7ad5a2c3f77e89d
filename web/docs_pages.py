"""Serves /docs (the static files of docsite/static/, and pages generated from the contract) and the contract as YAML.

Decisions 50 to 52.
"""

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
# Generated pages contain this address; when a page is served, the public address replaces it.
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
# Caches must revalidate each use, so that no page mixes files of two versions after an upgrade.
_CACHE_HEADERS = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding, Origin"}


class Page(NamedTuple):
    """One page: its bytes and its representation headers."""

    content: bytes
    headers: Mapping[str, str]


PageFactory = Callable[[str], Page | None]
"""Returns the page at a path below PATH, or None if there is none; called once per path."""


class EncodedPage(NamedTuple):
    """A page in one content coding: its bytes and headers, with a strong entity tag (RFC 9110 section 8.8.3)."""

    body: bytes
    headers: dict[str, str]


def register_docs(app: flask.Flask, make: PageFactory, public_url: str, errors: ErrorCatalog, yaml_path: str) -> None:
    """Registers the routes of PATH and `yaml_path`; an unknown path gives NoSuchEndpoint in the error envelope.

    The samples of the pages call `public_url`; if that is empty, the host of the request.
    """

    def handle(error: Exception) -> flask.Response:
        if isinstance(error, HTTPException):
            error = NoSuchEndpoint("No page has that path")
        response = errors.to_response(error, current_request.get().request_id)
        return flask.Response(response.body, response.status, response.headers)

    for kind in (Exception, HTTPException):  # Connexion registers its own handler for HTTPException
        app.register_error_handler(kind, handle)
    app.url_map.merge_slashes = False  # Flask would redirect to the host of the request, which may be forged
    view = partial(_serve, cache(make), public_url)
    app.add_url_rule(PATH, endpoint=PATH, view_func=view, defaults={"path": ""})
    app.add_url_rule(f"{PATH}/", endpoint=f"{PATH}/", view_func=view, defaults={"path": "/"})
    app.add_url_rule(f"{PATH}/<path:path>", endpoint=f"{PATH}/...", view_func=view)
    app.add_url_rule(yaml_path, endpoint=yaml_path, view_func=_contract_as_yaml)


def _serve(make: PageFactory, public_url: str, path: str) -> flask.Response:
    gzipped = flask.request.accept_encodings["gzip"] > 0
    page = (
        _static_file(path, gzipped=gzipped)
        if path in FILES
        else _generated(make, path, public_url or _origin(), gzipped=gzipped)
    )
    if page is None:
        raise NoSuchEndpoint("No page has that path")
    return _respond(page)


def _contract_as_yaml() -> flask.Response:
    document = current_request.get().contract.published("yaml")
    headers = {"Content-Type": document.media_type, "ETag": f'"{document.tag}"', **_CACHE_HEADERS}
    return _respond(EncodedPage(document.body, headers))


def _respond(page: EncodedPage) -> flask.Response:
    if preconditions.is_known(flask.request.headers.get("If-None-Match"), page.headers["ETag"]):
        # A browser stores the headers of a 304 (RFC 9111 section 3.2), so the content security policy must be in it.
        headers = {name: value for name, value in page.headers.items() if name != "Content-Encoding"}
        return flask.Response(status=304, headers=headers)
    return flask.Response(page.body, headers=page.headers)


def _origin() -> str:
    host = flask.request.host
    return f"http://{host}" if re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", host) else ORIGIN


@cache
def _static_file(path: str, *, gzipped: bool) -> EncodedPage:
    """A file of docsite/static/, read at the first request for it: reading at start-up would delay the start."""
    name, headers = FILES[path]
    return _encode((HOME / name).read_bytes(), headers, gzipped=gzipped)


@lru_cache(maxsize=64)
def _generated(make: PageFactory, path: str, origin: str, *, gzipped: bool) -> EncodedPage | None:
    page = make(path)
    if page is None:
        return None
    return _encode(page.content.replace(ORIGIN.encode(), origin.encode()), page.headers, gzipped=gzipped)


def _encode(content: bytes, headers: Mapping[str, str], *, gzipped: bool) -> EncodedPage:
    digest = hashlib.sha256(content).hexdigest()[:16]
    if gzipped:
        coding = {"Content-Encoding": "gzip", "ETag": f'"{digest}-gzip"'}
        return EncodedPage(gzip.compress(content, mtime=0), {**headers, **_CACHE_HEADERS, **coding})
    return EncodedPage(content, {**headers, **_CACHE_HEADERS, "ETag": f'"{digest}"'})
