"""The operator's policy: words and patterns for which a piece is refused, read from a TOML file.

    [[rules]]
    reason = "Names of artists are not allowed."
    words = ["taylor swift"]                 # whole words, and phrases of them
    patterns = ["in the style of \\\\p{L}+"]   # RE2: linear time whatever the text

Words, patterns and texts are compared after NFKC and case folding, without invisible characters.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import re2

DEFAULT_REASON = "The policy of this service does not allow this request."
REASON_CHARACTERS = 200
# What a word of a rule stands between; \\b of RE2 knows ASCII only.
_BEFORE, _AFTER = r"(?:^|[^\pL\pN_])", r"(?:$|[^\pL\pN_])"


class BadPolicy(ValueError):
    """The file of the policy cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason, and the expression that finds what it is about."""

    reason: str
    pattern: Any


class Policy:
    """The rules of a file; without a file there are none."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)

    def refusal(self, *texts: str) -> str | None:
        """The reason of the first rule that applies to one of the texts."""
        folded = [fold(text) for text in texts if text]
        return next((rule.reason for rule in self._rules if any(map(rule.pattern.search, folded))), None)


def fold(text: str) -> str:
    """The text in NFKC, case folded, without format characters, with one space for any white space."""
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    return " ".join(folded.split())


def read(path: Path) -> Policy:
    """The policy of a file. Raises BadPolicy."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadPolicy(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadPolicy(f"{path} is no TOML: {error}") from error
    rules = document.pop("rules", [])
    if document or not isinstance(rules, list):
        raise BadPolicy(f"{path} has {sorted(document)}, but each rule is a table [[rules]]")
    return Policy(_rule(f"{path}, rule {number}", table) for number, table in enumerate(rules, start=1))


def _rule(place: str, table: Any) -> Rule:
    if not isinstance(table, dict) or not table.keys() <= {"reason", "words", "patterns"}:
        raise BadPolicy(f"{place}: it may have reason, words and patterns, and nothing else")
    reason = table.get("reason", DEFAULT_REASON)
    if not isinstance(reason, str) or not 0 < len(reason) <= REASON_CHARACTERS or not reason.isprintable():
        raise BadPolicy(f"{place}: reason must be a text of at most {REASON_CHARACTERS} characters")
    words, patterns = _texts(place, table, "words"), _texts(place, table, "patterns")
    parts = [_BEFORE + re2.escape(fold(word)) + _AFTER for word in words]
    parts += [f"(?i:{_checked(place, pattern)})" for pattern in patterns]
    if not parts:
        raise BadPolicy(f"{place}: it has neither words nor patterns")
    return Rule(reason, _compiled(place, "|".join(parts)))


def _texts(place: str, table: dict[str, Any], name: str) -> list[str]:
    values = table.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) and fold(value) for value in values):
        raise BadPolicy(f"{place}: {name} must be a list of texts that are not empty")
    return values


def _checked(place: str, pattern: str) -> str:
    """The pattern in NFKC, once it compiles by itself and does not match everything."""
    pattern = unicodedata.normalize("NFKC", pattern)
    if _compiled(place, pattern).search(""):
        raise BadPolicy(f"{place}: the pattern {pattern!r} matches an empty text, so everything would be refused")
    return pattern


def _compiled(place: str, pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        raise BadPolicy(f"{place}: {pattern!r} is no expression of RE2: {_text(error)}") from error


def _text(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
