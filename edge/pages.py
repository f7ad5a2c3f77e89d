"""The reference page for people, with its scripts: files of pages/, all from our own origin."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple, NoReturn

import flask

from edge import preconditions
from edge.errors import NoSuchEndpoint

PATH = "/docs"
HOME = Path(__file__).parent.parent / "pages"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SCRIPT = "text/javascript; charset=utf-8"
_FILES = {
    PATH: ("index.html", {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}),
    f"{PATH}/start.js": ("start.js", {"Content-Type": _SCRIPT}),
    f"{PATH}/scalar.js": ("scalar.js", {"Content-Type": _SCRIPT}),
}
# A copy may be kept, and is asked about before each use: after an upgrade nobody sees a mixture of old and new.
_KEPT = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding, Origin"}


class Form(NamedTuple):
    """A file as it is sent: the bytes, their strong entity tag (RFC 9110 section 8.8.3) and how they are coded."""

    body: bytes
    tag: str
    coding: dict[str, str]


def mount(app: flask.Flask) -> None:
    """Serve the page and its scripts; any other path below PATH is answered with NoSuchEndpoint."""
    app.url_map.merge_slashes = False  # Flask would redirect, to whatever host the request names.
    for path, (name, headers) in _FILES.items():
        app.add_url_rule(path, endpoint=name, view_func=partial(_serve, name, headers))
    for path in (f"{PATH}/", f"{PATH}/<path:_>"):
        app.add_url_rule(path, endpoint=path, view_func=_refuse)


def _refuse(**_: str) -> NoReturn:
    raise NoSuchEndpoint("No page has that path")


def _serve(name: str, headers: dict[str, str]) -> flask.Response:
    form = _form(name, packed=flask.request.accept_encodings["gzip"] > 0)
    headers = headers | _KEPT | {"ETag": form.tag}
    if preconditions.is_known(flask.request.headers.get("If-None-Match"), form.tag):
        # A browser takes over the fields of a 304 (RFC 9111 section 3.2), so the policy has to be among them.
        return flask.Response(status=304, headers=headers)
    return flask.Response(form.body, headers=headers | form.coding)


@cache
def _form(name: str, *, packed: bool) -> Form:
    """The file, read when it is first asked for, so that the server does not start later for it."""
    content = (HOME / name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    if packed:
        return Form(gzip.compress(content, mtime=0), f'"{digest}-gzip"', {"Content-Encoding": "gzip"})
    return Form(content, f'"{digest}"', {})
