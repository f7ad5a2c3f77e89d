"""What may notice that the contract is not what it was: our checks, from the cheapest to the dearest."""

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
# The quickest tests that look at what clients meet, on one database; the first failure is enough.
TESTS = (
    "tests/rules/test_error_codes.py", "tests/rules/test_operations.py", "tests/test_maximum_sizes.py",
    "tests/test_access.py", "tests/test_parameters.py", "tests/test_collections.py", "tests/test_preconditions.py",
    "tests/test_errors.py", "tests/test_statuses.py",
)  # fmt: skip
# What finds its way by where it is, so that a link would lead it back to the unchanged project.
_COPIED = (
    "app.py", "settings.py", "pyproject.toml", "cli", "web", "tools",
    "generated", "handlers", "mock", "models", "ops", "docsite", "tests",
)  # fmt: skip
_LINKED = (".venv", "node_modules", "docs", "spectral.yaml", "redocly.yaml", "CHANGELOG.md")


class Check(NamedTuple):
    """A check of ours: what it says of a contract, in a tree of its own; nothing where all is well to it."""

    name: str
    says: Callable[[Path], str]


def checkout_with(folder: Path, document: dict[str, Any]) -> Path:
    """The project as it is, with another contract in openapi/ and dist/."""
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
    root = _pointed({**document, "components": {}}, "parts.yaml#/") | {"components": index}
    (folder / "openapi" / "openapi.yaml").write_text(json.dumps(root), encoding="utf-8")
    (folder / "openapi" / "parts.yaml").write_text(json.dumps(_pointed(components, "#/")), encoding="utf-8")
    return folder


def _pointed(node: Any, home: str) -> Any:
    """The same node with its references to components turned to the file that has them."""
    if isinstance(node, dict):
        return {
            key: child.replace("#/components/", home)
            if key == "$ref" and isinstance(child, str)
            else _pointed(child, home)
            for key, child in node.items()
        }
    return [_pointed(child, home) for child in node] if isinstance(node, list) else node


def _run(folder: Path, *command: str | Path) -> str:
    """The last words of a command that fails, and nothing of one that does not."""
    told = subprocess.run(
        command, cwd=folder, env=redocly_diff.environment(), capture_output=True, text=True, check=False, timeout=1800
    )
    return "" if told.returncode == 0 else (told.stdout + told.stderr).strip()


def _redocly(folder: Path) -> str:
    return _run(folder, ROOT / "node_modules/.bin/redocly", "lint", "dist/openapi.json", "--format", "stylish")


def _spectral(folder: Path) -> str:
    return _run(
        folder, ROOT / "node_modules/.bin/spectral", "lint", "-r", "spectral.yaml", "--fail-severity", "warn",
        "--quiet", "dist/openapi.json",
    )  # fmt: skip


def _released(folder: Path) -> str:
    changelog = breaking.CHANGELOG.read_text(encoding="utf-8")
    comparison = breaking.compare(breaking.last_released(), folder / "dist/openapi.json", changelog)
    return comparison.findings[0].what if comparison.level == "major" and comparison.demands else ""


def _generated(folder: Path) -> str:
    said = _run(folder, BIN / "datamodel-codegen", "--input", "dist/openapi.json", "--output", "dist/wire.py")
    if said:
        return said
    same = (folder / "dist/wire.py").read_bytes() == (ROOT / "generated/wire.py").read_bytes()
    return "" if same else "generated/wire.py is not what the contract says"


def _tests(folder: Path) -> str:
    said = _run(
        folder, BIN / "python", "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider",
        "-k", "not postgresql", "-m", "not slow", "--no-header", "--tb=line", *TESTS,
    )  # fmt: skip
    failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0] if failed else said[-300:]


CHECKS = (
    Check("redocly lint", _redocly),
    Check("make breaking", _released),
    Check("make drift", _generated),
    Check("spectral", _spectral),
    Check("the tests", _tests),
)
