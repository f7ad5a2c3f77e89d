"""`make breaking`: every planted change is classified, and requires its version and changelog entry."""

import copy
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tools.contract import breaking
from tools.contract.change import highest
from tools.testing.contract_changes import BREAKING, HARMLESS, PREPARED, Change
from web.contract import document as contract

RELEASED = json.loads(breaking.last_released().read_text(encoding="utf-8"))
WORKING = contract.document()


def _rate(change: Change, base: dict[str, Any] = WORKING) -> str:
    """The level of a change of a contract."""
    document = copy.deepcopy(base)
    change(document)
    return highest(breaking.changes(base, document))


@pytest.mark.slow
def test_every_breaking_change_is_found() -> None:
    found = _levels(_rate, BREAKING)
    assert {title for title, level in found.items() if level != "major"} == set(), found


@pytest.mark.slow
def test_no_harmless_change_is_called_breaking() -> None:
    found = _levels(_rate, {title: change for title, (change, _) in HARMLESS.items()})
    assert found == {title: level for title, (_, level) in HARMLESS.items()}


@pytest.mark.slow
def test_change_of_what_the_release_does_not_have_is_rated() -> None:
    found = _levels(_rate_prepared, PREPARED)
    assert found == {title: level for title, (_, _, level) in PREPARED.items()}


def _rate_prepared(row: tuple[Change, Change, str]) -> str:
    prepare, change, _ = row
    base = copy.deepcopy(WORKING)
    prepare(base)
    return _rate(change, base)


def _levels(rate: Callable[[Any], str], changes: Mapping[str, Any]) -> dict[str, str]:
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(changes, pool.map(rate, changes.values()), strict=True))


def test_corpus_has_at_least_40_changes() -> None:
    assert len(BREAKING) >= 30
    assert len(HARMLESS) >= 10


CHANGELOG = "## [{version}] - 2026-11-24\n\n### Changed\n\n- {line}\n\n## [1.0.0] - 2026-11-23\n\n- The first.\n"


def _compared(tmp_path: Path, version: str, line: str, change: Change = lambda _: None) -> breaking.Comparison:
    """The last release, as if it were 1.0.0, compared with a change of it."""
    document = copy.deepcopy(RELEASED)
    document["info"]["version"] = "1.0.0"
    (tmp_path / "old.json").write_text(json.dumps(document), encoding="utf-8")
    document["info"]["version"] = version
    change(document)
    (tmp_path / "new.json").write_text(json.dumps(document), encoding="utf-8")
    changelog = CHANGELOG.format(version=version, line=line)
    return breaking.compare(tmp_path / "old.json", tmp_path / "new.json", changelog)


@pytest.mark.parametrize(
    ("version", "line", "title", "demands"),
    [
        ("1.0.0", "Nothing.", "nothing changes", []),
        ("1.1.0", "(being written)", "nothing changes", []),
        ("1.0.0", "A description.", "a description changes", ["must be 1.0.1"]),
        ("1.0.1", "A description.", "a description changes", []),
        ("1.0.1", "A new operation.", "an operation is added", ["must be 1.1.0"]),
        ("1.1.0", "A new operation.", "an operation is added", []),
        ("1.1.0", "(being written)", "an operation is added", ["has no line under"]),
        ("1.9.0", "**Breaking:** the default.", "a parameter's default changes", ["must be 2.0.0"]),
        ("2.0.0", "The default.", "a parameter's default changes", ["**Breaking:**"]),
        ("2.0.0", "**Breaking:** the default.", "a parameter's default changes", []),
        ("0.9.0", "Back.", "nothing changes", ["must be 1.0.0"]),
    ],
)
def test_change_requires_version_and_changelog_entry(
    tmp_path: Path, version: str, line: str, title: str, demands: list[str]
) -> None:
    change = BREAKING[title] if title in BREAKING else HARMLESS[title][0]
    found = _compared(tmp_path, version, line, change).missing
    assert len(found) == len(demands), found
    assert all(text in sentence for text, sentence in zip(demands, found, strict=True)), found


def test_report_explains_a_breaking_change(tmp_path: Path) -> None:
    comparison = _compared(tmp_path, "1.1.0", "Less.", BREAKING["a parameter's default changes"])
    text = "\n".join(breaking.report_lines(comparison))
    assert "breaks[/red] who leaves query limit out of GET /music/{organization_id}/collections" in text
    assert "Its default went from 50 to 20." in text
    assert "Keep the default" in text
    assert "info.version is 1.1.0 and must be 2.0.0 or above" in text


@pytest.mark.slow
def test_report_names_method_and_path() -> None:
    document = copy.deepcopy(WORKING)
    BREAKING["an operationId changes"](document)
    BREAKING["a response gets another media type"](document)
    texts = [finding.what for finding in breaking.changes(WORKING, document)]
    assert any("(GET /music/{organization_id}/collections operationId)" in text for text in texts), texts
    assert not [text for text in texts if "~1" in text or "%7B" in text or "#/" in text]


def test_released_contracts_have_the_version_of_their_file() -> None:
    for file in breaking.RELEASED.glob("*.json"):
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        assert document["info"]["version"] == file.stem, f"{file.name} has the contract of another version"


def test_the_working_contract_is_not_older_than_the_released_one() -> None:
    versions = [document["info"]["version"] for document in (RELEASED, contract.document())]
    assert versions == sorted(versions, key=lambda version: [int(part) for part in version.split(".")])
