"""The sidebar: groups of links to all pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from docsite.guides import Guide
from docsite.objects import Object
from docsite.operations import Operation


class Link(NamedTuple):
    """A link of the sidebar; `path` is below /docs, `method` that of an operation."""

    path: str
    title: str
    method: str = ""


class Group(NamedTuple):
    title: str
    links: list[Link]


def navigation(
    section: str,
    guides: Sequence[Guide],
    tags: Sequence[dict[str, Any]],
    operations: Sequence[Operation],
    objects: Sequence[Object],
) -> list[Group]:
    """The groups in the order of the sidebar; `section` is the folder of the pages below /docs."""
    start = [Link("", "Overview"), Link(f"{section}/tutorial", "Tutorial"), Link("explorer", "Explorer")]
    more = [Link(f"{section}/errors", "Errors"), Link(f"{section}/changelog", "Changelog")]
    by_tag = [
        Group(
            title(tag), [Link(f"{section}/{o.slug}", o.summary, o.method) for o in operations if o.tag == tag["name"]]
        )
        for tag in tags
    ]
    return [
        Group("Start", start),
        Group("Guides", [Link(f"{section}/{guide.slug}", guide.title) for guide in guides]),
        *(group for group in by_tag if group.links),
        Group("Objects", [Link(f"{section}/{o.slug}", o.short_title) for o in objects]),
        Group("More", more),
    ]


def title(tag: dict[str, Any]) -> str:
    """The name of a tag as readers see it."""
    name: str = tag.get("x-displayName", tag["name"].capitalize())
    return name
