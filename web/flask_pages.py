"""Serves /docs, /robots.txt, /llms.txt and the contract as YAML with Flask, imported for the first request of them.

Decisions 1 and 87.
"""

from __future__ import annotations

import re
from functools import partial
from urllib.parse import urlsplit

import flask
from connexion.apps.flask import FlaskASGIApp
from werkzeug.exceptions import HTTPException

from web.asgi import Receive, Scope, Send
from web.context import current_request
from web.contract.reading import AT_ROOT, DOCS, JSON
from web.docs_pages import FRONT, NOT_FOUND, ORIGIN, REVALIDATED, EncodedPage, EncodedPages, PageFactory
from web.error_envelope import ErrorCatalog
from web.exceptions import NoSuchEndpoint
from web.http import preconditions
from web.http.request_checks import prefers

# A host name has at most 255 bytes (RFC 1035 section 2.3.4); it is put into each page up to 130 times.
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")
_NEGOTIATED = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding, Origin"}


class FlaskPages:
    """The ASGI application of the pages: Connexion's wrapping of Flask, without an operation."""

    def __init__(self, make: PageFactory, public_url: str, errors: ErrorCatalog, yaml_path: str) -> None:
        self._wrapped = FlaskASGIApp("music_studio", {"static_folder": None})
        register_docs(self._wrapped.app, make, public_url, errors, yaml_path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._wrapped(scope, receive, send)

    def close(self) -> None:
        """Ends the threads, which would keep the process."""
        self._wrapped.asgi_app.executor.shutdown()


def register_docs(app: flask.Flask, make: PageFactory, public_url: str, errors: ErrorCatalog, yaml_path: str) -> None:
    """Registers the routes of DOCS, FRONT, AT_ROOT and `yaml_path`; an unknown path gives NoSuchEndpoint in the error
    envelope, or as a page for a client that prefers HTML.

    The samples of the pages call `public_url`; if that is empty, the host of the request. Links have its path.
    """
    pages = EncodedPages(make)
    view = partial(_serve, pages, public_url)
    handle = partial(_failed, pages, public_url, errors)
    for kind in (Exception, HTTPException):  # Connexion registers its own handler for HTTPException
        app.register_error_handler(kind, handle)
    app.url_map.merge_slashes = False  # Flask would redirect to the host of the request, which may be forged
    for path in (DOCS, f"{DOCS}/"):
        app.add_url_rule(path, endpoint=path, view_func=view, defaults={"path": ""})
    app.add_url_rule(f"{DOCS}/<path:path>", endpoint=f"{DOCS}/...", view_func=view)
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


def _redirect_to_docs(public_path: str) -> flask.Response:
    return flask.Response(status=302, headers={"Location": public_path + DOCS, **_NEGOTIATED})


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
    headers = {"Content-Type": document.media_type, "ETag": f'"{document.tag}"', **REVALIDATED}
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
