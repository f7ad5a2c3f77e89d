"""The project's Python files, for the tests of the house rules."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("cli", "docsite", "web", "handlers", "mock", "models", "ops", "pages", "studio", "worker")
ENTRY_POINTS = ("app.py", "factories.py", "setting_checks.py", "setting_parsers.py", "settings.py")
EXCLUDED = {".venv", ".venv-bench", ".venv-sbom", "node_modules", "dist", "var"}


def service_modules() -> list[Path]:
    """All modules of the service's packages."""
    return sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))


def runtime_modules() -> list[Path]:
    """All modules that run in the service: the packages, the entry points and the migrations."""
    return [*service_modules(), *(ROOT / name for name in ENTRY_POINTS)]


def all_modules() -> Iterator[Path]:
    """All Python files of the project, with tests and generated ones."""
    yield from ROOT.glob("*.py")
    for folder in ROOT.iterdir():
        if folder.is_dir() and folder.name not in EXCLUDED:
            yield from folder.rglob("*.py")


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def at(file: Path, line: int | None = None) -> str:
    """The path relative to the project, with the line: `models/keys.py:12`."""
    return f"{file.relative_to(ROOT)}" + (f":{line}" if line else "")


def listed(lines: list[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)
