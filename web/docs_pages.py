"""The pages of /docs, /robots.txt and /llms.txt, encoded for the web.

docsite makes them, and web/flask_pages.py serves them. Decisions 50 to 52 and 87.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from typing import NamedTuple

from web.context import RequestContext
from web.contract.reading import JSON
from web.exceptions import NoSuchEndpoint
from web.http.request_checks import prefers

FRONT = "/"
NOT_FOUND = "404.html"
# Generated pages contain this address; when a page is served, the public address replaces it.
ORIGIN = "http://127.0.0.1:8080"
MAX_ENCODED = 64
# A page is compressed again for each host that a client names, so speed counts more than the last tenth of the size.
_GZIP_LEVEL = 4
_VARY = {"Vary": "Accept-Encoding, Origin"}
# Caches must revalidate each use of a page, and never a file whose name changes with its content (RFC 8246).
REVALIDATED = {"Cache-Control": "no-cache"} | _VARY
_IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"} | _VARY


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
"""Returns the page at a path below DOCS, or None if there is none; called once per path that has a page."""


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


def leads_to_docs(context: RequestContext) -> bool:
    """Whether a browser asks, which is led on from FRONT; for every other client there is nothing."""
    return context.method in ("GET", "HEAD") and prefers(context, "text/html", JSON)


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
    headers = {**page.headers, **(_IMMUTABLE if page.immutable else REVALIDATED)}
    if not coding:
        return EncodedPage(page.content, headers | {"ETag": f'"{digest}"'})
    body = page.brotli if coding == "br" and page.brotli else gzip.compress(page.content, _GZIP_LEVEL, mtime=0)
    return EncodedPage(body, headers | {"Content-Encoding": coding, "ETag": f'"{digest}-{coding}"'})
