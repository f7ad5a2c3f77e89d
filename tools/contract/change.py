"""One change of the contract between two versions, in the words of those who meet it."""

from __future__ import annotations

from typing import NamedTuple

LEVELS = ("none", "patch", "minor", "major")


class Finding(NamedTuple):
    """`level` is the bump of info.version that the change asks for; `whom` it meets, `what` it is, and what to do."""

    level: str
    whom: str
    what: str
    remedy: str = ""


def highest(findings: list[Finding]) -> str:
    """The bump that all of them together ask for."""
    return max((finding.level for finding in findings), key=LEVELS.index, default="none")
