"""One change between two versions of the contract, described for clients."""

from __future__ import annotations

from typing import NamedTuple

LEVELS = ("none", "patch", "minor", "major")


class Finding(NamedTuple):
    """`level` is the required bump of info.version, `whom` the affected clients, `remedy` what to do instead."""

    level: str
    whom: str
    what: str
    remedy: str = ""


def broken(whom: str, what: str, remedy: str) -> Finding:
    """A breaking change."""
    return Finding("major", whom, what, remedy)


def highest(findings: list[Finding]) -> str:
    """The highest level of the findings."""
    return max((finding.level for finding in findings), key=LEVELS.index, default="none")
