"""The pages of one contract: for each its title, its Markdown and its HTML.

Decisions 51 and 88.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from docsite import assets, examples, literals, navigation, objects, samples, search_index
from docsite import errors as catalog
from docsite.code import Block
from docsite.fields import FieldReader
from docsite.guides import Guide, guides
from docsite.objects import Object
from docsite.operation_pages import OperationPages, blocks
from docsite.operations import Operation, operations
from docsite.rendering import environment
from web.contract.reading import DOCS, base_path
from web.docs_pages import ORIGIN

ROOT = Path(__file__).parent.parent
CHANGELOG, TUTORIAL = ROOT / "CHANGELOG.md", ROOT / "docsite" / "tutorial.md"
SECTION = "api-reference/music"


class Source(NamedTuple):
    """What makes one page: its title, its Markdown, and the template of its HTML with the values for it."""

    title: str
    markdown: Callable[[], str]
    template: str = "article.html"
    values: Callable[[], dict[str, Any]] = dict


class Reference:
    """The pages for one origin, such as `https://music.example`, which the samples call.

    `public_path` is the path below which a proxy serves pages and API, in links between them. `api` is the address of
    the service where the pages are on another host, and empty where they are on the same one.
    """

    def __init__(self, document: dict[str, Any], origin: str, public_path: str = "", api: str = "") -> None:
        self.origin, self._document = origin, document
        self.operations = operations(document)
        self.objects = objects.objects(document, self.operations)
        self.guides = guides({operation.id for operation in self.operations})
        self._operation_pages = OperationPages(document, origin, self.operations, self.objects)
        title: str = document["info"]["title"]
        self._overview = f"{title.removesuffix(' API')} overview"
        self._templates = environment()
        self._templates.globals |= self._addresses(public_path, api or public_path) | {
            "product": title, "overview": self._overview, "info": {"description": title} | document["info"],
            "operations": self.operations, "objects": self.objects, "object_slug": objects.slug, "guides": self.guides,
            "quotas": document.get("x-rate-limits", {}), "tags": self._tags(),
            "shared_headers": self._operation_pages.shared_headers(),
            "menu": navigation.navigation(SECTION, self.guides, self._tags(), self.operations, self.objects),
        }  # fmt: skip

    def _addresses(self, public_path: str, server: str) -> dict[str, Any]:
        """The addresses that the templates name: `docs` and `home` of pages, `server` and `contract` of the service."""
        docs, base = public_path + DOCS, base_path(self._document)
        home = f"{docs}/{SECTION}"
        return {
            "origin": self.origin, "public_path": public_path, "docs": docs, "home": home, "section": SECTION,
            "pages": f"{DOCS}/{SECTION}", "server": server, "base": base, "contract": server + base,
            "contract_url": self.origin + base, "asset": lambda name: f"{docs}/{assets.served_name(name)}",
            "links": {o.id: f"[{o.summary}]({home}/{o.slug})" for o in self.operations},
        }  # fmt: skip

    def _tags(self) -> list[dict[str, Any]]:
        """The tags in the document's order, then those that only operations have."""
        listed = [*self._document.get("tags", []), *({"name": operation.tag} for operation in self.operations)]
        return list({tag["name"]: {"description": ""} | tag for tag in reversed(listed)}.values())[::-1]

    @cached_property
    def sources(self) -> dict[str, Source]:
        """What makes each page, by slug."""
        own = {
            "introduction": Source(
                self._overview, lambda: self.render("introduction.md"), "overview.html", self._first_request
            ),
            "tutorial": Source("Tutorial", _tutorial),
            "errors": Source("Errors", self._error_page),
            "changelog": Source("Changelog", lambda: CHANGELOG.read_text(encoding="utf-8")),
        }
        found = own | {guide.slug: self._guide(guide) for guide in self.guides}
        found |= {operation.slug: self._operation(operation) for operation in self.operations}
        return found | {each.slug: self._object(each) for each in self.objects}

    def html(self, slug: str) -> str:
        """The HTML of a page; that of the overview is also the front of the documentation."""
        from docsite import html  # the Markdown parser is imported at the first page

        source = self.sources[slug]
        text = source.markdown()
        article = html.article(text)
        return self.render(
            source.template, slug=slug, path="" if slug == "introduction" else f"{SECTION}/{slug}", title=source.title,
            description=html.plain(text), content=article.html, sections=article.sections, **source.values(),
        )  # fmt: skip

    def render(self, template: str, **values: Any) -> str:
        """A template with the values that all of them have, and these."""
        return self._templates.get_template(f"{template}.jinja").render(values).strip() + "\n"

    def code_samples(self, operation: Operation) -> list[dict[str, str]]:
        """The samples as the value of the extension `x-codeSamples`."""
        return samples.code_samples(operation, self.origin)

    def index(self) -> str:
        """The search index as JSON."""
        return json.dumps([entry._asdict() for entry in self._found()], ensure_ascii=False)

    def _found(self) -> Iterator[search_index.Found]:
        yield from map(search_index.of_error, self._errors)
        for operation in self.operations:
            yield from search_index.of_operation(operation, self._operation_pages.fields(operation))
        for each in self.objects:
            yield from search_index.of_object(each)
        yield from map(search_index.of_header, self._operation_pages.shared_headers())
        for slug in ("introduction", "tutorial", "changelog", *(guide.slug for guide in self.guides)):
            yield from search_index.of_page(slug, self.sources[slug].title, self.sources[slug].markdown())
        yield from search_index.of_page("errors", "Errors", self._error_page().partition("\n## ")[0])

    @cached_property
    def _errors(self) -> list[catalog.Error]:
        return catalog.errors(self._document, self.operations)

    def _error_page(self) -> str:
        schemas = self._document["components"]["schemas"]
        fields = FieldReader(self._document).properties(schemas.get("ErrorBody", {}), "field")
        envelope = examples.of_schema(schemas.get("ErrorEnvelope", {}), self._document)
        return self.render("errors.md", envelope=envelope, fields=fields, errors=self._errors)

    def _first_request(self) -> dict[str, Any]:
        """The first request of the overview: the samples of the first operation that reads."""
        read = next((operation for operation in self.operations if operation.method == "GET"), None)
        if read is None:
            return {"first": None}
        return {"first": read, "samples": self._operation_pages.samples(read), "answers": blocks(read.successes())[:1]}

    def _guide(self, guide: Guide) -> Source:
        def markdown() -> str:
            return self.render("guide.md", guide=guide, text=self._templates.get_template(f"{guide.slug}.md").render())

        return Source(guide.title, markdown)

    def _operation(self, operation: Operation) -> Source:
        def values() -> dict[str, Any]:
            return self._operation_pages.values(operation)

        return Source(operation.summary, lambda: self.render("operation.md", **values()), "operation.html", values)

    def _object(self, found: Object) -> Source:
        def values() -> dict[str, Any]:
            return {"object": found, "example": Block("json", found.title, literals.write(found.example))}

        return Source(found.title, lambda: self.render("object.md", **values()), "object.html", values)


def _tutorial() -> str:
    """The tutorial calls the reader's own mock on localhost, so its address is not replaced by the public one."""
    return TUTORIAL.read_text(encoding="utf-8").replace(ORIGIN, ORIGIN.replace("127.0.0.1", "localhost"))
