"""Documentation site, generated from the contract: pages, lists for programs and files, by path below /docs.

Decisions 51 and 87.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from docsite import assets
from docsite.reference import SECTION, Reference
from web.contract import views
from web.docs_pages import NOT_FOUND, ORIGIN, Page

_NOTHING_ELSE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_OWN_SCRIPTS = "default-src 'none'; script-src 'self'; connect-src 'self'; media-src 'self' blob:"
POLICY = f"{_OWN_SCRIPTS}; style-src 'self'; img-src 'self' data:; {_NOTHING_ELSE}"
EXPLORER_POLICY = (
    f"{_OWN_SCRIPTS}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; {_NOTHING_ELSE}"
)
HTML = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
MARKDOWN = {"Content-Type": "text/markdown; charset=utf-8"}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
JSON = {"Content-Type": "application/json"}


class Site:
    """The site for one origin; the arguments are those of Reference."""

    def __init__(self, document: dict[str, Any], origin: str, public_path: str = "", api: str = "") -> None:
        self._document = views.with_server(document, api or public_path)
        self.reference = Reference(document, origin, public_path, api)

    @cached_property
    def _made(self) -> dict[str, tuple[Callable[[], str], dict[str, str]]]:
        """What makes each page and each list, by path, and its headers."""
        render, slugs = self.reference.render, self.reference.sources
        own: dict[str, tuple[Callable[[], str], dict[str, str]]] = {
            "": (lambda: self.reference.html("introduction"), HTML),
            "explorer": (lambda: render("explorer.html"), HTML | {"Content-Security-Policy": EXPLORER_POLICY}),
            NOT_FOUND: (lambda: render("not_found.html"), HTML),
            "openapi.json": (self._contract, JSON),
            "search.json": (self.reference.index, JSON),
            "llms.txt": (lambda: render("llms.txt"), MARKDOWN),
            "llms-full.txt": (self._everything, MARKDOWN),
            "sitemap.xml": (lambda: render("sitemap.xml"), {"Content-Type": "application/xml"}),
            "robots.txt": (lambda: render("robots.txt"), TEXT),
            "schemathesis.toml": (lambda: render("schemathesis.toml"), TEXT),
        }
        if any(guide.slug == "focus" for guide in self.reference.guides):
            own["focus.html"] = (lambda: render("focus.html"), HTML)
        pages = {f"{SECTION}/{slug}": (lambda s=slug: self.reference.html(s), HTML) for slug in slugs}
        return own | pages | {f"{SECTION}/{slug}.md": (source.markdown, MARKDOWN) for slug, source in slugs.items()}

    def paths(self) -> Iterator[str]:
        """The paths of all pages and files; the front is the empty one."""
        yield from self._made
        yield from (assets.served_name(name) for name in assets.NAMES)

    def page(self, path: str) -> Page | None:
        """The page or file at a path, or None."""
        if path not in self._made:
            return assets.asset(path)
        make, headers = self._made[path]
        return Page(make().encode(), headers)

    def _contract(self) -> str:
        """The contract with `x-codeSamples`, for the explorer."""
        document = json.loads(json.dumps(self._document))
        introduction = document["info"].get("description", document["info"]["title"])
        document["info"]["description"] = f"{introduction}\n\n{self.reference.render('more.md')}"
        for operation in self.reference.operations:
            node = document["paths"][operation.template][operation.method.lower()]
            node["x-codeSamples"] = self.reference.code_samples(operation)
        return json.dumps(document, ensure_ascii=False)

    def _everything(self) -> str:
        """All pages in one Markdown text."""
        return "\n\n".join(source.markdown().strip() for source in self.reference.sources.values()) + "\n"


class PageMaker:
    """The PageFactory of a contract; builds the site at the first request."""

    def __init__(self, document: dict[str, Any], public_path: str = "") -> None:
        self._document = document
        self._public_path = public_path

    @cached_property
    def _site(self) -> Site:
        return Site(self._document, ORIGIN, self._public_path)

    def __call__(self, path: str) -> Page | None:
        """The page at a path, or None."""
        return self._site.page(path)
