"""Documentation pages, generated from the contract, by path below /docs.

Decision 51.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from docsite import errors as catalog
from docsite import examples, literals, samples
from docsite.operations import Example, Operation, operations
from web.contract import views
from web.contract.reading import base_path
from web.docs_pages import MARKDOWN, ORIGIN, PATH, PLAIN, Page

TEMPLATES = Path(__file__).parent / "templates"
ROOT = Path(__file__).parent.parent
CHANGELOG, TUTORIAL = ROOT / "CHANGELOG.md", ROOT / "docsite" / "tutorial.md"
COMPATIBILITY = ROOT / "docsite" / "compatibility.md"
SECTION = "api-reference/music"


class Block(NamedTuple):
    """A code block on a page: its language for syntax highlighters, its title and its text."""

    word: str
    title: str
    text: str

    @property
    def fence(self) -> str:
        """The fence: longer than any row of backticks in the text (CommonMark 0.31, section 4.5)."""
        return "`" * max(3, *(len(row) + 1 for row in re.findall("`+", self.text)), 3)


class Site:
    """The pages for one origin, such as `https://music.example`, which the samples call.

    `public_path` is the path below which a proxy serves pages and API, in links between them. `api` is the address of
    the service where the pages are on another host, and empty where they are on the same one.
    """

    def __init__(self, document: dict[str, Any], origin: str, public_path: str = "", api: str = "") -> None:
        self.origin = origin
        self._document = views.with_server(document, api or public_path)
        self._operations = operations(document)
        self._templates = _environment()
        title = document["info"]["title"]
        info = {"description": title} | document["info"]
        self._templates.globals.update(
            public_path=public_path, docs=public_path + PATH, home=f"{public_path}{PATH}/{SECTION}",
            pages=f"{PATH}/{SECTION}", overview=f"{title.removesuffix(' API')} overview", product=title, info=info,
            tags=self._tags(), operations=self._operations, origin=origin,
            contract=(api or public_path) + base_path(document), base=base_path(document),
        )  # fmt: skip

    def _tags(self) -> list[dict[str, str]]:
        """The tags in the document's order, then those that only operations have."""
        listed = [*self._document.get("tags", []), *({"name": operation.tag} for operation in self._operations)]
        return list({tag["name"]: {"description": ""} | tag for tag in reversed(listed)}.values())[::-1]

    @cached_property
    def _texts(self) -> dict[str, Callable[[], str]]:
        """The functions that render the Markdown of each page, by slug."""
        own = {
            "introduction": self._introduction,
            "errors": self._errors,
            "tutorial": _tutorial,
            "changelog": _changelog,
            "compatibility": _compatibility,
        }
        return own | {o.slug: lambda o=o: self._operation(o) for o in self._operations}

    def paths(self) -> Iterator[str]:
        """The paths of all pages."""
        yield from ("openapi.json", "llms.txt")
        for slug in self._texts:
            yield from (f"{SECTION}/{slug}", f"{SECTION}/{slug}.md")

    def page(self, path: str) -> Page | None:
        """The page at a path, or None."""
        if path == "openapi.json":
            return Page(self._contract().encode(), {"Content-Type": "application/json"})
        if path == "llms.txt":
            return Page(self._render("llms.txt").encode(), MARKDOWN)
        section, _, name = path.rpartition("/")
        slug = name.removesuffix(".md")
        if section != SECTION or slug not in self._texts:
            return None
        text = self._texts[slug]()
        return Page(text.encode(), MARKDOWN) if name.endswith(".md") else Page(self._html(slug, text).encode(), PLAIN)

    def _contract(self) -> str:
        """The contract with `x-codeSamples`, for the interactive reference."""
        document = json.loads(json.dumps(self._document))
        introduction = document["info"].get("description", document["info"]["title"])
        document["info"]["description"] = "\n\n".join(
            (introduction, self._render("guides.md") + "\n" + self._render("more.md"))
        )
        for operation in self._operations:
            node = document["paths"][operation.template][operation.method.lower()]
            node["x-codeSamples"] = samples.code_samples(operation, self.origin)
        return json.dumps(document, ensure_ascii=False)

    def _operation(self, operation: Operation) -> str:
        by_id = {other.id: other for other in self._operations}
        return self._render(
            "operation.md",
            operation=operation,
            related=[by_id[other] for other in operation.related if other in by_id],
            samples=[Block(s["lang"], s["label"], s["source"]) for s in samples.code_samples(operation, self.origin)],
            successes=_blocks(operation.successes()),
            errors=_blocks(operation.errors),
        )

    def _errors(self) -> str:
        schemas = self._document["components"]["schemas"]
        fields = self._operations[0].properties(schemas.get("ErrorBody", {})) if self._operations else []
        errors = catalog.errors(self._document, self._operations)
        envelope = examples.of_schema(schemas.get("ErrorEnvelope", {}), self._document)
        return self._render("errors.md", envelope=envelope, fields=fields, errors=errors)

    def _introduction(self) -> str:
        return self._render("introduction.md")

    def _html(self, slug: str, text: str) -> str:
        from docsite import html  # the Markdown parser is imported at the first page

        title = text.partition("\n")[0].removeprefix("# ")
        return self._render("page.html", slug=slug, title=title, content=html.render(text))

    def _render(self, template: str, **values: Any) -> str:
        return self._templates.get_template(f"{template}.jinja").render(values).strip() + "\n"


def _blocks(examples: list[Example]) -> list[Block]:
    return [Block("json", example.title, literals.write(example.value)) for example in examples]


def _tutorial() -> str:
    """The tutorial calls the reader's own mock on localhost, so its address is not replaced by the public one."""
    return TUTORIAL.read_text(encoding="utf-8").replace(ORIGIN, ORIGIN.replace("127.0.0.1", "localhost"))


def _changelog() -> str:
    return CHANGELOG.read_text(encoding="utf-8")


def _compatibility() -> str:
    return COMPATIBILITY.read_text(encoding="utf-8")


def _title(tag: dict[str, str]) -> str:
    """The name of a tag as readers see it."""
    return tag.get("x-displayName", tag["name"].capitalize())


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown is text; page.html escapes its values
    )
    environment.filters |= {"json": literals.write, "title": _title}
    return environment


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
