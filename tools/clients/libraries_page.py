"""Writes the guide to the clients, docsite/guides/libraries.md, from each README: installation, first request."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tools.clients import model, templates
from tools.clients.generators import HOME, OWN, RECIPES, ROOT
from tools.clients.model import Client
from web.contract import document as contract

PAGE = ROOT / "docsite" / "guides" / "libraries.md"
TITLES = {
    "python": "Python", "typescript": "TypeScript", "go": "Go", "java": "Java", "rust": "Rust", "php": "PHP",
    "ruby": "Ruby", "csharp": "C#", "kotlin": "Kotlin",
}  # fmt: skip
SERVER = "https://music.example.com/v1"
START = """\
Every client is generated from the contract of this installation, and does the same: it sends a failed request again
with the same `Idempotency-Key`, waits as long as `Retry-After` says, pages through lists, and has a type for every
object and every error. Nothing has to be fetched from a registry: the operator makes them.

```sh
make clients                            # all nine, in dist/clients
make clients LANGUAGES="python go"      # only these
```

Any other language: generate a client from `/v1/openapi.client.json`, whose answers may grow, and not from
`/v1/openapi.json`, which is this version to the letter.
[Contract and compatibility]({{ home }}/compatibility) compares them.

```sh
curl -o openapi.json "{{ contract_url }}/openapi.client.json"
```
"""


def text() -> str:
    """The page: the beginning, then a section for each language."""
    return "\n\n".join([START.strip(), *(_section(language) for language in TITLES)]) + "\n"


def _section(language: str) -> str:
    start = [f"## {TITLES[language]}", f"The folder is `dist/clients/{language}`."]
    return "\n\n".join([*start, *(_of_templates(language) if language in OWN else _of_recipe(language))])


def _of_templates(language: str) -> list[str]:
    """Installation and first request, with which the README begins, and its whole program."""
    readme = templates.render(HOME / language, Path("README.md.jinja"), OWN[language], _client())
    blocks = [block.replace(" program\n", "\n", 1) for block in re.findall(r"```[\s\S]*?\n```", readme)[:3]]
    return [*blocks[:2], "A whole program:", blocks[2]]


@cache
def _client() -> Client:
    return model.read(contract.document())


def _of_recipe(language: str) -> list[str]:
    readme = (HOME / language / "README.mustache").read_text(encoding="utf-8")
    return [_filled(_part(readme, heading), _values(language)) for heading in ("Install", "A first request")]


def _part(readme: str, heading: str) -> str:
    """A section of a README up to its first code block; what follows that is in the README."""
    section = readme.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].strip()
    found = re.match(r"[\s\S]*?```[\s\S]*?\n```", section)
    if found is None:
        raise ValueError(f"A README has no code under {heading!r}")
    return found[0]


def _values(language: str) -> dict[str, Any]:
    recipe = yaml.safe_load(RECIPES[language].read_text(encoding="utf-8")) or {}
    versions = dict.fromkeys(("version", "packageVersion", "artifactVersion"), "{{ info.version }}")
    names: dict[str, Any] = versions | recipe.get("additionalProperties", {})
    return names


def _filled(template: str, values: dict[str, Any]) -> str:
    """The template with its values and the address of the reader's own installation. Raises KeyError."""
    filled = re.sub(r"\{\{\{?(\w+)\}?\}\}", lambda name: str(values[name[1]]), template)
    return filled.replace(SERVER, "{{ contract_url }}")


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
