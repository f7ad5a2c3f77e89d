"""Modules of web/ and models/ have the names that the field's documentation uses, or a line in the glossary."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.rules.tree import ROOT, at, listed
from web.contract import document as contract

WORDS = Path(__file__).with_name("field_words.txt")
GLOSSARY = ROOT / "docs" / "glossary.md"


def test_every_module_has_a_name_of_the_field_or_a_line_in_the_glossary() -> None:
    unknown = [at(file) for file in _modules() if not _is_known(file)]
    assert not unknown, (
        f"Modules with a name that is neither the field's nor explained:{listed(unknown)}\n"
        "Name the module as the documentation of the field (RFCs, ASGI, Starlette, SQLAlchemy, PEP 249, Prometheus) "
        f"lists the thing, and add that name to {at(WORDS)}. Where the field has no name for it, add a row with the "
        f"module's path to {at(GLOSSARY)}."
    )


def test_the_rule_would_see_an_unknown_name() -> None:
    for unknown in ("web/lane.py", "web/server/patience.py", "models/collection_hurry.py", "web/rooms/__init__.py"):
        assert not _is_known(ROOT / unknown), unknown
    for known in ("models/db/circuit_breaker.py", "models/collection_queries.py", "models/ranks.py"):
        assert _is_known(ROOT / known), known


def test_no_word_is_listed_that_no_module_uses() -> None:
    used = {name for file in _modules() for name in (_stem(file), _remainder(_stem(file)))}
    idle = [word for word in _words() if word not in used]
    assert not idle, f"No module of web/ or models/ uses these words; remove them from {at(WORDS)}:{listed(idle)}"


def test_the_words_are_sorted() -> None:
    words = _words()
    assert words == sorted(set(words)), f"Sort {at(WORDS)}: `LC_ALL=C sort -u -o {at(WORDS)} {at(WORDS)}`"


def _modules() -> list[Path]:
    files = (file for folder in ("web", "models") for file in (ROOT / folder).rglob("*.py"))
    return sorted(file for file in files if file.parent.name != "versions")


def _is_known(file: Path) -> bool:
    words, stem = set(_words()), _stem(file)
    return stem in words or at(file) in _explained() or _remainder(stem) in words | {""}


def _stem(file: Path) -> str:
    """The name of a module; that of a package is its folder's."""
    return file.parent.name if file.name == "__init__.py" else file.stem


def _remainder(stem: str) -> str:
    """The name without the nouns of the product, which are the tags of the contract and the names of the tables."""
    nouns = _singular(word for name in (*_tags(), *_tables()) for word in name.split("_"))
    return "_".join(word for word in stem.split("_") if not _singular([word]) <= nouns)


def _singular(words: Iterable[str]) -> set[str]:
    return {word.removesuffix("s") for word in words}


@cache
def _tags() -> list[str]:
    return [tag["name"] for tag in contract.document()["tags"]]


@cache
def _tables() -> list[str]:
    from models.schema import collections

    return list(collections.metadata.tables)


def _words() -> list[str]:
    return WORDS.read_text(encoding="utf-8").split()


def _explained() -> set[str]:
    """The modules and folders that the glossary names; a folder stands for its package."""
    named = set(re.findall(r"`((?:web|models)/[^`]*)`", GLOSSARY.read_text(encoding="utf-8")))
    return {f"{name}__init__.py" if name.endswith("/") else name for name in named}
