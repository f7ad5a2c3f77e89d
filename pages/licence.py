"""Licences in words, and their version."""

from __future__ import annotations

from typing import NamedTuple


class Licence(NamedTuple):
    """What a person may do with a piece: `name` in three or four words, `summary` in a sentence or two."""

    name: str
    summary: str
    commercial_use: str
    attribution: str


VERSION = "2026-11"
"""Rises when the words of a class allow more or less than before."""
# By `licence_class` of the contract.
_CLASSES = {
    "commercial_cleared": (
        "Cleared for commercial use",
        "The origin of this music is known, and its use is cleared, also in commercial work.",
    ),
    "commercial_enterprise": (
        "Commercial use by agreement",
        "Commercial use of this music needs an agreement with whoever runs this service.",
    ),
    "personal_only": (
        "Personal use only",
        "You may listen to this music and use it for yourself.",
    ),
    "unclear": (
        "Not checked",
        "Nobody has checked where this music comes from. Ask whoever shared it before you use it.",
    ),
}


def version(licence_class: str) -> str | None:
    """The version of the words for a class; None where nobody has said what the licence is."""
    return None if licence_class == "unclear" else VERSION


def describe(licence_class: str, *, commercial_use: bool, requires_attribution: bool) -> Licence:
    """The words for a licence. Raises KeyError for a class that is none of the contract's."""
    name, summary = _CLASSES[licence_class]
    return Licence(
        name,
        summary,
        "Allowed" if commercial_use else "Not allowed",
        "Required: name where the music comes from" if requires_attribution else "Not required",
    )
