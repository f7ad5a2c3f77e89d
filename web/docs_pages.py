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
from urllib.parse import urlsplit

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
_PAGE = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
_SCRIPT = {"Content-Type": "text/javascript; charset=utf-8"}
FILES: dict[str, tuple[str, dict[str, str]]] = {
    "": ("index.html", _PAGE),
    "start.js": ("start.js", _SCRIPT),
    "focus.html": ("focus.html", _PAGE),
    "focus.js": ("focus.js", _SCRIPT),
    "scalar.js": ("scalar.js", _SCRIPT),
    "page.css": ("page.css", {"Content-Type": "text/css; charset=utf-8"}),
}
MAX_ENCODED = 64
# A host name has at most 255 bytes (RFC 1035 section 2.3.4); it is put into each page up to 130 times.
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")
# A page is compressed again for each host that a client names, so speed counts more than the last tenth of the size.
_GZIP_LEVEL = 4
_WITH_LINKS = ("focus.html", "focus.js", "index.html", "start.js")
# Caches must revalidate each use, so that no page mixes files of two versions after an upgrade.
_CACHE_HEADERS = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding, Origin"}


class Page(NamedTuple):
    """One page: its bytes and its representation headers."""

    content: bytes
    headers: Mapping[str, str]


PageFactory = Callable[[str], Page | None]
"""Returns the page at a path below PATH, or None if there is none; called once per path that has a page."""


class EncodedPage(NamedTuple):
    """A page in one content coding: its bytes and headers, with a strong entity tag (RFC 9110 section 8.8.3)."""

    body: bytes
    headers: dict[str, str]


def register_docs(app: flask.Flask, make: PageFactory, public_url: str, errors: ErrorCatalog, yaml_path: str) -> None:
    """Registers the routes of PATH and `yaml_path`; an unknown path gives NoSuchEndpoint in the error envelope.

    The samples of the pages call `public_url`; if that is empty, the host of the request. Links have its path.
    """

    def handle(error: Exception) -> flask.Response:
        if isinstance(error, HTTPException):
            error = NoSuchEndpoint("No page has that path")
        response = errors.to_response(error, current_request.get().request_id)
        return flask.Response(response.body, response.status, response.headers)

    for kind in (Exception, HTTPException):  # Connexion registers its own handler for HTTPException
        app.register_error_handler(kind, handle)
    app.url_map.merge_slashes = False  # Flask would redirect to the host of the request, which may be forged
    generated = lru_cache(MAX_ENCODED)(partial(_generated, cache(partial(_existing, make))))
    view = partial(_serve, generated, public_url)
    app.add_url_rule(PATH, endpoint=PATH, view_func=view, defaults={"path": ""})
    app.add_url_rule(f"{PATH}/", endpoint=f"{PATH}/", view_func=view, defaults={"path": "/"})
    app.add_url_rule(f"{PATH}/<path:path>", endpoint=f"{PATH}/...", view_func=view)
    app.add_url_rule(yaml_path, endpoint=yaml_path, view_func=_contract_as_yaml)


def _serve(generated: Callable[..., EncodedPage], public_url: str, path: str) -> flask.Response:
    gzipped = flask.request.accept_encodings["gzip"] > 0
    if path in FILES:
        page = _static_file(path, urlsplit(public_url).path, gzipped)
    else:
        page = generated(path, public_url or _origin(), gzipped)
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
    return f"http://{host}" if _HOST.fullmatch(host) else ORIGIN


@cache
def _static_file(path: str, public_path: str, gzipped: bool) -> EncodedPage:
    """A file of docsite/static/, read at the first request for it: reading at start-up would delay the start."""
    name, headers = FILES[path]
    content = (HOME / name).read_bytes()
    if name in _WITH_LINKS:
        content = content.replace(b'"/', f'"{public_path}/'.encode())
    return _encode(content, headers, gzipped)


def _existing(make: PageFactory, path: str) -> Page:
    """The page at a path. Raises NoSuchEndpoint, which no cache keeps: clients choose the paths."""
    page = make(path)
    if page is None:
        raise NoSuchEndpoint("No page has that path")
    return page


def _generated(page_at: Callable[[str], Page], path: str, origin: str, gzipped: bool) -> EncodedPage:
    page = page_at(path)
    return _encode(page.content.replace(ORIGIN.encode(), origin.encode()), page.headers, gzipped)


def _encode(content: bytes, headers: Mapping[str, str], gzipped: bool) -> EncodedPage:
    digest = hashlib.sha256(content).hexdigest()[:16]
    if gzipped:
        coding = {"Content-Encoding": "gzip", "ETag": f'"{digest}-gzip"'}
        return EncodedPage(gzip.compress(content, _GZIP_LEVEL, mtime=0), {**headers, **_CACHE_HEADERS, **coding})
    return EncodedPage(content, {**headers, **_CACHE_HEADERS, "ETag": f'"{digest}"'})
