"""Checks that may notice a mutant of the contract, from the fastest to the slowest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from settings import ROOT
from tools.contract import breaking, redocly_diff

BIN = Path(sys.executable).parent
# The fastest tests of the HTTP interface, on one database; the first failure is enough.
TESTS = (
    "tests/rules/test_error_codes.py", "tests/rules/test_operations.py", "tests/test_maximum_sizes.py",
    "tests/test_access.py", "tests/test_parameters.py", "tests/test_collections.py", "tests/test_preconditions.py",
    "tests/test_errors.py", "tests/test_statuses.py",
)  # fmt: skip
# Code that finds files relative to its own path: through a link it would find the unchanged project.
_COPIED = (
    "app.py", "factories.py", "setting_checks.py", "setting_parsers.py", "settings.py", "pyproject.toml",
    "cli", "web", "tools", "generated", "handlers", "mock", "models", "ops", "docsite", "studio", "tests", "worker",
)  # fmt: skip
_LINKED = (".venv", "node_modules", "docs", "spectral.yaml", "redocly.yaml", "CHANGELOG.md")


class Check(NamedTuple):
    """A check: `run` gets a source tree and returns an error text, or an empty text."""

    name: str
    run: Callable[[Path], str]


def checkout_with(folder: Path, document: dict[str, Any]) -> Path:
    """A copy of the project with another contract in openapi/ and dist/."""
    folder.mkdir(parents=True)
    for name in _COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / name)
    for name in _LINKED:
        (folder / name).symlink_to(ROOT / name)
    (folder / "dist").mkdir()
    (folder / "openapi").mkdir()
    (folder / "dist" / "openapi.json").write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
    for name in ("rules", "released"):
        (folder / "openapi" / name).symlink_to(ROOT / "openapi" / name)
    components = document["components"]
    index = {part: {name: {"$ref": f"parts.yaml#/{part}/{name}"} for name in components[part]} for part in components}
    root = _relocate({**document, "components": {}}, "parts.yaml#/") | {"components": index}
    (folder / "openapi" / "openapi.yaml").write_text(json.dumps(root), encoding="utf-8")
    (folder / "openapi" / "parts.yaml").write_text(json.dumps(_relocate(components, "#/")), encoding="utf-8")
    return folder


def _relocate(node: Any, home: str) -> Any:
    """The node with its references to components replaced by references to their file."""
    if isinstance(node, dict):
        return {
            key: child.replace("#/components/", home)
            if key == "$ref" and isinstance(child, str)
            else _relocate(child, home)
            for key, child in node.items()
        }
    return [_relocate(child, home) for child in node] if isinstance(node, list) else node


def _run(folder: Path, *command: str | Path) -> str:
    """The output of a command that fails; an empty text if it succeeds."""
    done = subprocess.run(
        command, cwd=folder, env=redocly_diff.environment(), capture_output=True, text=True, check=False, timeout=1800
    )
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()


def _redocly(folder: Path) -> str:
    return _run(folder, ROOT / "node_modules/.bin/redocly", "lint", "dist/openapi.json", "--format", "stylish")


def _spectral(folder: Path) -> str:
    return _run(
        folder, ROOT / "node_modules/.bin/spectral", "lint", "-r", "spectral.yaml", "--fail-severity", "warn",
        "--quiet", "dist/openapi.json",
    )  # fmt: skip


def _breaking(folder: Path) -> str:
    changelog = breaking.CHANGELOG.read_text(encoding="utf-8")
    comparison = breaking.compare(breaking.last_released(), folder / "dist/openapi.json", changelog)
    return comparison.findings[0].what if comparison.level == "major" and comparison.missing else ""


def _generated(folder: Path) -> str:
    output = _run(folder, BIN / "datamodel-codegen", "--input", "dist/openapi.json", "--output", "dist/wire.py")
    if output:
        return output
    same = (folder / "dist/wire.py").read_bytes() == (ROOT / "generated/wire.py").read_bytes()
    return "" if same else "generated/wire.py does not match the contract"


def _tests(folder: Path) -> str:
    output = _run(
        folder, BIN / "python", "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider",
        "-k", "not postgresql", "-m", "not slow", "--no-header", "--tb=line", *TESTS,
    )  # fmt: skip
    failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0] if failed else output[-300:]


CHECKS = (
    Check("redocly lint", _redocly),
    Check("make breaking", _breaking),
    Check("make drift", _generated),
    Check("spectral", _spectral),
    Check("the tests", _tests),
)
