"""The TypeScript client as it would be published: packed, then checked by publint and by "are the types wrong?"."""

import os
import shutil
from pathlib import Path

import pytest

from tests.clients.languages import BIN, WORK, succeed
from tools.clients.generators import DIST, ROOT

FOLDER = WORK / "typescript-packed"
TOOLS = ROOT / "node_modules" / ".bin"
CHECKS = {"publint": ["publint", "run", "--strict"], "types": ["attw", "--no-emoji"]}


@pytest.fixture(scope="module")
def package() -> Path:
    """The file that `npm pack` makes; its `prepack` script builds the client."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(DIST / "typescript", FOLDER)
    return FOLDER / _run("npm", "pack", "--ignore-scripts=false").strip().splitlines()[-1]


@pytest.mark.parametrize("command", CHECKS.values(), ids=CHECKS)
def test_nothing_is_wrong_with_the_package(package: Path, command: list[str]) -> None:
    output = _run(*command, package.name)
    assert "All good!" in output or "No problems found" in output, output


def _run(*command: str) -> str:
    """The output of a program, which must succeed."""
    environment = os.environ | {"PATH": f"{TOOLS}:{BIN}:{os.environ['PATH']}"}
    return succeed(command, FOLDER, environment, 300).stdout
