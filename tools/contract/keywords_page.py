"""Writes docs/openapi.md, what the service does of OpenAPI 3.0, from web/contract/keywords.yaml.

`python -m tools.contract.keywords_page`
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from settings import ROOT
from web.contract import conformance

FILE = ROOT / "docs" / "openapi.md"
WORDS = {"done": "yes", "none": "no meaning for a server"}
INTRODUCTION = """\
# What of OpenAPI is supported

The service does what its OpenAPI 3.0.3 document says, or it does not start. This page lists every field of the standard
and every extension of this project: `yes` if the service does it, else why it need not, or what to write instead. It is
written by `make generate` from `web/contract/keywords.yaml`; do not edit it.

`make lint`, `music-studio serve`, `up` and `mock`, and `make docs` compare the document with this table. They report
every difference at once, with path, method, field and JSON Pointer. A handler must take exactly the arguments that its
operation has.
"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join([INTRODUCTION, *_objects(), *_rules()])


def _objects() -> Iterator[str]:
    notes = conformance.table()["notes"]
    for kind, fields in conformance.table()["objects"].items():
        yield f"## {kind} Object\n\n| Field | Supported |\n| --- | --- |"
        yield from (_row(name, state) for field, states in fields.items() for name, state in _names(field, states))
        yield ""
        if kind in notes:
            yield f"{textwrap.fill(notes[kind], 120)}\n"


def _names(field: str, states: Any) -> Iterator[tuple[str, str]]:
    if isinstance(states, str):
        yield f"`{field}`", states
        return
    for word, state in states.items():
        yield f"`{field}`: {'anything else' if word == '*' else f'`{word}`'}", state


def _rules() -> Iterator[str]:
    yield "## Conditions between fields\n\n| Object | Condition | Supported |\n| --- | --- | --- |"
    for kind, conditions in conformance.table()["rules"].items():
        yield from (f"| {kind} {_row(condition, state)}" for condition, state in conditions.items())
    yield ""


def _row(name: str, state: str) -> str:
    text = WORDS.get(state, state).replace("|", "\\|")
    return f"| {name} | {text} |"


def main() -> None:
    """Writes the page."""
    FILE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
