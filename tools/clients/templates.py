"""Writes a client from the templates in the folder of its language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from docsite import client_names
from tools.clients.model import Client

SUFFIX = ".jinja"


class Language(NamedTuple):
    """A language of our own templates: its filters, more values for a client, and what is done with the files.

    `each` has the templates that write several files, by their name: for each file its name without ending (`name` in
    the template), and what it is about (`each`).
    """

    filters: Mapping[str, Any]
    values: Callable[[Client], Mapping[str, Any]] = lambda _: {}
    finish: Callable[[Path], None] = lambda _: None
    each: Mapping[str, Callable[[Client], Mapping[str, Any]]] = {}


def write(folder: Path, language: Language, client: Client, target: Path) -> None:
    """Writes the files of a folder below `target`, without `.jinja`."""
    for path in sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file()):
        for name, values in _files(path.name.removesuffix(SUFFIX), language, client):
            written = target / path.with_name(name)
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(render(folder, path, language, client, values), encoding="utf-8")
    language.finish(target)


def _files(name: str, language: Language, client: Client) -> list[tuple[str, Mapping[str, Any]]]:
    """The files that a template writes, and the values of each."""
    if name not in language.each:
        return [(name, {})]
    found = language.each[name](client)
    return [(f"{one}{Path(name).suffix}", {"name": one, "each": value}) for one, value in found.items()]


def render(folder: Path, path: Path, language: Language, client: Client, values: Mapping[str, Any] = {}) -> str:
    """The text of one file of a folder, from its template with these values, too."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - the files are programs
    )
    common = {"snake": client_names.snake, "pascal": client_names.pascal, "camel": client_names.camel}
    environment.filters |= {**common, **language.filters}
    return environment.get_template(path.as_posix()).render({"client": client, **language.values(client), **values})


def one_line(text: str) -> str:
    """A description as one line."""
    return re.sub(r"\s+", " ", text).strip()
