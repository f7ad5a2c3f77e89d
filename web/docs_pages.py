"""Serves /docs, /robots.txt, /llms.txt and the contract as YAML; docsite makes the pages and the files.

Decisions 50 to 52 and 87.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from typing import NamedTuple
from urllib.parse import urlsplit

import flask
from werkzeug.exceptions import HTTPException

from web.context import RequestContext, current_request
from web.contract.reading import JSON
from web.error_envelope import ErrorCatalog
from web.exceptions import NoSuchEndpoint
from web.http import preconditions
from web.http.request_checks import prefers

PATH = "/docs"
FRONT = "/"
# Files that programs look for at the root of a host.
AT_ROOT = ("/robots.txt", "/llms.txt")
NOT_FOUND = "404.html"
# Generated pages contain this address; when a page is served, the public address replaces it.
ORIGIN = "http://127.0.0.1:8080"
MAX_ENCODED = 64
# A host name has at most 255 bytes (RFC 1035 section 2.3.4); it is put into each page up to 130 times.
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")
# A page is compressed again for each host that a client names, so speed counts more than the last tenth of the size.
_GZIP_LEVEL = 4
_VARY = {"Vary": "Accept-Encoding, Origin"}
# Caches must revalidate each use of a page, and never a file whose name changes with its content (RFC 8246).
_REVALIDATED = {"Cache-Control": "no-cache"} | _VARY
_IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"} | _VARY
_NEGOTIATED = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding, Origin"}


class Page(NamedTuple):
    """One page or file: its bytes and its representation headers.

    `immutable`: the path has a digest of the content, which has no address in it. `brotli` is the content compressed
    (RFC 7932), where that was done before.
    """

    content: bytes
    headers: Mapping[str, str]
    immutable: bool = False
    brotli: bytes | None = None


PageFactory = Callable[[str], Page | None]
"""Returns the page at a path below PATH, or None if there is none; called once per path that has a page."""


class EncodedPage(NamedTuple):
    """A page in one content coding: its bytes and headers, with a strong entity tag (RFC 9110 section 8.8.3)."""

    body: bytes
    headers: dict[str, str]


class EncodedPages:
    """The pages of a PageFactory, encoded once: a file for each coding, a page for each coding and host too."""

    def __init__(self, make: PageFactory) -> None:
        self._page = cache(partial(_existing, make))
        self._file = cache(lambda path, coding: _encode(self._page(path), coding))
        self._generated = lru_cache(MAX_ENCODED)(self._with_origin)

    def get(self, path: str, origin: str, accepted: list[str]) -> EncodedPage:
        """The page at a path in a coding that is accepted. Raises NoSuchEndpoint."""
        page = self._page(path)
        coding = next((c for c in _codings(page) if c in accepted), "")
        return self._file(path, coding) if page.immutable else self._generated(path, origin, coding)

    def _with_origin(self, path: str, origin: str, coding: str) -> EncodedPage:
        page = self._page(path)
        return _encode(page._replace(content=page.content.replace(ORIGIN.encode(), origin.encode())), coding)


def register_docs(app: flask.Flask, make: PageFactory, public_url: str, errors: ErrorCatalog, yaml_path: str) -> None:
    """Registers the routes of PATH, FRONT, AT_ROOT and `yaml_path`; an unknown path gives NoSuchEndpoint in the error
    envelope, or as a page for a client that prefers HTML.

    The samples of the pages call `public_url`; if that is empty, the host of the request. Links have its path.
    """
    pages = EncodedPages(make)
    view = partial(_serve, pages, public_url)
    handle = partial(_failed, pages, public_url, errors)
    for kind in (Exception, HTTPException):  # Connexion registers its own handler for HTTPException
        app.register_error_handler(kind, handle)
    app.url_map.merge_slashes = False  # Flask would redirect to the host of the request, which may be forged
    for path in (PATH, f"{PATH}/"):
        app.add_url_rule(path, endpoint=path, view_func=view, defaults={"path": ""})
    app.add_url_rule(f"{PATH}/<path:path>", endpoint=f"{PATH}/...", view_func=view)
    for path in AT_ROOT:
        app.add_url_rule(path, endpoint=path, view_func=view, defaults={"path": path[1:]})
    app.add_url_rule(FRONT, endpoint=FRONT, view_func=partial(_redirect_to_docs, urlsplit(public_url).path.rstrip("/")))
    app.add_url_rule(yaml_path, endpoint=yaml_path, view_func=_contract_as_yaml)


def _serve(pages: EncodedPages, public_url: str, path: str) -> flask.Response:
    if path == NOT_FOUND:
        raise NoSuchEndpoint("No page has that path")
    return _respond(_page(pages, public_url, path))


def _page(pages: EncodedPages, public_url: str, path: str) -> EncodedPage:
    accepted = flask.request.accept_encodings
    return pages.get(path, public_url or _origin(), [coding for coding in ("br", "gzip") if accepted[coding] > 0])


def leads_to_docs(context: RequestContext) -> bool:
    """Whether a browser asks for FRONT; for every other client there is nothing."""
    front = context.path == FRONT.encode() and context.method in ("GET", "HEAD")
    return front and prefers(context, "text/html", JSON)


def _redirect_to_docs(public_path: str) -> flask.Response:
    return flask.Response(status=302, headers={"Location": public_path + PATH, **_NEGOTIATED})


def _failed(pages: EncodedPages, public_url: str, errors: ErrorCatalog, error: Exception) -> flask.Response:
    """The error envelope, or the page for an unknown path."""
    if isinstance(error, HTTPException):
        error = NoSuchEndpoint("No page has that path")
    response = errors.to_response(error, current_request.get().request_id)
    if not isinstance(error, NoSuchEndpoint) or not prefers(current_request.get(), "text/html", JSON):
        return flask.Response(response.body, response.status, response.headers)
    page = _page(pages, public_url, NOT_FOUND)
    headers = {name: value for name, value in page.headers.items() if name != "ETag"} | _NEGOTIATED
    return flask.Response(page.body, response.status, headers)


def _contract_as_yaml() -> flask.Response:
    document = current_request.get().contract.published("yaml")
    headers = {"Content-Type": document.media_type, "ETag": f'"{document.tag}"', **_REVALIDATED}
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


def _existing(make: PageFactory, path: str) -> Page:
    """The page at a path. Raises NoSuchEndpoint, which no cache keeps: clients choose the paths."""
    page = make(path)
    if page is None:
        raise NoSuchEndpoint("No page has that path")
    return page


def _codings(page: Page) -> list[str]:
    return ["gzip"] if page.brotli is None else ["br", "gzip"]


def _encode(page: Page, coding: str) -> EncodedPage:
    digest = hashlib.sha256(page.content).hexdigest()[:16]
    headers = {**page.headers, **(_IMMUTABLE if page.immutable else _REVALIDATED)}
    if not coding:
        return EncodedPage(page.content, headers | {"ETag": f'"{digest}"'})
    body = page.brotli if coding == "br" and page.brotli else gzip.compress(page.content, _GZIP_LEVEL, mtime=0)
    return EncodedPage(body, headers | {"Content-Encoding": coding, "ETag": f'"{digest}-{coding}"'})
