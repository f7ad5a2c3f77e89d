"""The project's own Python files, as the house rules look at them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("cli", "docsite", "web", "handlers", "mock", "models", "ops")
DOORS = ("app.py", "settings.py")
NOT_OURS = {".venv", ".venv-bench", ".venv-sbom", "node_modules", "dist", "var"}


def rooms() -> list[Path]:
    """Every module of the rooms that hold the service's logic."""
    return sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))


def service() -> list[Path]:
    """Every module that runs when the service does: the rooms, the front doors and the migrations."""
    return [*rooms(), *(ROOT / authenticator for authenticator in DOORS)]


def everything() -> Iterator[Path]:
    """Every Python file of the project, tests and generated ones too."""
    yield from ROOT.glob("*.py")
    for folder in ROOT.iterdir():
        if folder.is_dir() and folder.name not in NOT_OURS:
            yield from folder.rglob("*.py")


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def at(file: Path, line: int | None = None) -> str:
    """The file as a person would point at it: `models/keys.py:12`."""
    return f"{file.relative_to(ROOT)}" + (f":{line}" if line else "")


def listed(lines: list[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)
