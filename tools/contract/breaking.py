"""Breaking-change gate: compares the contract with the last release, and checks version and changelog.

Decision 14.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from settings import ROOT
from tools.contract import defaults, extra_rules, redocly_diff
from tools.contract.change import LEVELS, Finding, highest

RELEASED = ROOT / "openapi" / "released"
WORKING = ROOT / "dist" / "openapi.json"
CHANGELOG = ROOT / "CHANGELOG.md"
_ADVICE = (
    "A breaking change needs a new major version. It is better to keep the old form beside the new one:\n"
    "that needs a minor version only, and no client has to change."
)


class Comparison(NamedTuple):
    """Two versions of the contract, the changes between them, and sentences on what a release still needs."""

    base: str
    revision: str
    findings: list[Finding]
    missing: list[str]

    @property
    def level(self) -> str:
        return highest(self.findings)


def compare(base: Path, revision: Path, changelog: str) -> Comparison:
    """The changes from `base` to `revision`, and what version and changelog still need."""
    old, new = (json.loads(file.read_text(encoding="utf-8")) for file in (base, revision))
    found = sorted(changes(old, new), key=lambda finding: -LEVELS.index(finding.level))
    versions = old["info"]["version"], new["info"]["version"]
    missing = [*_version_errors(*versions, highest(found)), *_changelog_errors(versions[1], changelog, found)]
    return Comparison(*versions, found, missing)


def last_released() -> Path:
    """The released contract with the highest version."""
    return max(RELEASED.glob("*.json"), key=lambda file: _numbers(file.stem))


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Finding]:
    """The changes between two contracts, each once."""
    old, new = _comparable(old), _comparable(new)
    return (
        [] if old == new else list(dict.fromkeys([*extra_rules.findings(old, new), *redocly_diff.findings(old, new)]))
    )


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    """The document without its version, and without what says the same as its absence."""
    plain: dict[str, Any] = defaults.without_defaults(document)
    return plain | {"info": plain["info"] | {"version": ""}}


def _version_errors(base: str, revision: str, level: str) -> Iterator[str]:
    """A sentence if the version is too low for the level (Semantic Versioning 2.0.0, sections 6 to 8)."""
    major, minor, patch = _numbers(base)
    minimum = {
        "none": (major, minor, patch),
        "patch": (major, minor, patch + 1),
        "minor": (major, minor + 1, 0),
        "major": (major + 1, 0, 0),
    }[level]
    if _numbers(revision) < minimum:
        needed = ".".join(map(str, minimum))
        yield f"info.version is {revision} and must be {needed} or above: raise it in openapi/openapi.yaml."


def _changelog_errors(version: str, changelog: str, findings: list[Finding]) -> Iterator[str]:
    """A sentence if the changelog has no line for the version, or none for a breaking change."""
    if not findings:
        return
    section = re.search(rf"^## \[{re.escape(version)}\].*?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^- ([^(\s].*)", section[1] if section else "", re.MULTILINE)
    if not lines:
        yield f"CHANGELOG.md has no line under `## [{version}]`: say what changed for clients."
    elif highest(findings) == "major" and not any(line.startswith("**Breaking:**") for line in lines):
        yield f"CHANGELOG.md has no line `- **Breaking:** ...` under `## [{version}]`: say who must change what."


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def report_lines(comparison: Comparison) -> Iterator[str]:
    """The lines of the report, in rich's markup."""
    count = len(comparison.findings)
    breaking = [finding for finding in comparison.findings if finding.level == "major"]
    yield f"{comparison.revision} compared with the released {comparison.base}: " + (
        f"{count} changes, {len(breaking)} of them breaking." if count else "nothing changed for clients."
    )
    for finding in breaking:
        yield f"\n[red]breaks[/red] {_plain(finding.whom)}\n  {_plain(finding.what)}"
        yield f"  {finding.remedy}"
    if breaking:
        yield f"\n{_ADVICE}"
    for level in ("minor", "patch"):
        for what, number in _counted([f for f in comparison.findings if f.level == level]):
            yield f"{level}  {_plain(what)}{f' ({number} places)' if number > 1 else ''}"
    yield from (f"\n[red]missing[/red] {_plain(sentence)}" for sentence in comparison.missing)


def _counted(findings: list[Finding]) -> Iterator[tuple[str, int]]:
    texts = [finding.what for finding in findings]
    yield from ((what, texts.count(what)) for what in dict.fromkeys(texts))


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make breaking", description=__doc__)
    parser.add_argument("base", nargs="?", type=Path, help="a released contract; else the last one of openapi/released")
    parser.add_argument("revision", nargs="?", type=Path, default=WORKING, help="else dist/openapi.json")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    comparison = compare(options.base or last_released(), options.revision, CHANGELOG.read_text(encoding="utf-8"))
    if options.json:
        print(json.dumps(comparison._asdict() | {"findings": [f._asdict() for f in comparison.findings]}, indent=2))
    else:
        Console(highlight=False, soft_wrap=True).print("\n".join(report_lines(comparison)))
    return 1 if comparison.missing else 0


if __name__ == "__main__":
    sys.exit(main())
