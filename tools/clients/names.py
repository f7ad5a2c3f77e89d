"""Names in a client that are not reserved, and that nothing else has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable


class NameClash(Exception):
    """Two things of a contract would have one name in a client; the text says which."""


def avoiding(reserved: Collection[str], name: Callable[[str], str]) -> Callable[[str], str]:
    """The same way to write names, with `_` behind those that are reserved."""
    return lambda text: f"{written}_" if (written := name(text)) in reserved else written


def unique(named: Iterable[tuple[str, str]], where: str) -> None:
    """Raises NameClash if two of (name, what has it) have one name."""
    owners: dict[str, str] = {}
    for name, owner in named:
        other = owners.setdefault(name, owner)
        if other != owner:
            raise NameClash(f"{other} and {owner} would both be `{name}` in {where}: rename one of them.")
