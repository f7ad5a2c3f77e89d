"""README, changelog and project files match the contract."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from tests.rules.tree import ROOT
from web.contract import document as contract


def test_changelog_starts_with_the_contract_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## \[?([0-9]+\.[0-9]+\.[0-9]+)", changelog, re.MULTILINE)
    version = contract.document()["info"]["version"]
    assert releases[:1] == [version], (
        f"The contract's info.version is {version}, the top release of CHANGELOG.md is {releases[:1] or 'none'}.\n"
        "A change that clients can see raises info.version and gets a heading `## [x.y.z] - date` with its description."
    )


def test_project_files_have_the_contract_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["version"]
    assert {project, package} == {contract.document()["info"]["version"]}, (
        "pyproject.toml, package.json and info.version of openapi/openapi.yaml carry one version: change all three, "
        "then `make lock`."
    )


def test_examples_of_the_contract_have_its_version() -> None:
    document = contract.document()
    due = {name: document["info"][name] for name in ("title", "version")}
    shown = list(_contracts_in(document["paths"])) + list(_contracts_in(document["components"]))
    assert len(shown) > 3
    assert [found["info"] for found in shown if found["info"] != due] == [], (
        f"An example of openapi/ that shows the contract itself has another version than {due['version']}."
    )


def _contracts_in(node: Any) -> Iterator[dict[str, Any]]:
    """The examples of an OpenAPI document in a node."""
    if isinstance(node, dict) and {"openapi", "info", "paths"} <= node.keys() and isinstance(node["openapi"], str):
        yield node
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for part in parts:
        yield from _contracts_in(part)


def test_readme_names_make_run_and_make_test() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [command for command in ("make run", "make test") if command not in readme]
    assert not missing, f"README.md does not name {missing}."
