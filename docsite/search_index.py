"""The search index: everything of the reference that can be found, as one list of texts with their addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from docsite.errors import Error
from docsite.fields import Field
from docsite.html import article, plain
from docsite.objects import Object
from docsite.operations import Operation

MAX_TEXT = 200


class Found(NamedTuple):
    """What a search finds: its title, what it is, its path below the folder of the pages, and what is said of it."""

    title: str
    kind: str
    path: str
    text: str


def of_page(slug: str, title: str, markdown: str) -> Iterator[Found]:
    """A page and its sections."""
    yield Found(title, "Page", slug, _cut(plain(markdown)))
    parts = markdown.split("\n## ")[1:]
    for section, part in zip(article(markdown).sections, parts, strict=False):
        yield Found(section.title, title, f"{slug}#{section.anchor}", _cut(plain(part.partition("\n")[2])))


def of_operation(operation: Operation, fields: Sequence[Field]) -> Iterator[Found]:
    """An operation, its parameters and the fields of its body."""
    text = f"{operation.method} {operation.path}. {plain(operation.description)}"
    yield Found(operation.summary, "Operation", operation.slug, _cut(text))
    yield from _fields(fields, operation.summary, operation.slug)


def of_object(found: Object) -> Iterator[Found]:
    """An object and its fields."""
    yield Found(found.title, "Object", found.slug, _cut(plain(found.description)))
    yield from _fields(found.fields, found.title, found.slug)


def of_error(error: Error) -> Found:
    """An error code."""
    return Found(
        error.code, "Error code", f"errors#{error.code.lower()}", _cut(f"{error.title}. {plain(error.meaning)}")
    )


def of_header(header: Field) -> Found:
    """A response header of most operations, which a guide lists."""
    return Found(header.name, "Response header", "requests#response-headers", _cut(plain(header.description)))


def _fields(fields: Sequence[Field], of: str, slug: str) -> Iterator[Found]:
    for field in (each for top in fields for each in top.all()):
        yield Found(field.name, of, f"{slug}#{field.anchor}", _cut(plain(field.description)))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT].rpartition(" ")[0] + " …"
