"""The swap test: follows docs/adding-an-operation.md in a copy of the project, then looks for all generated files."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from settings import ROOT
from tools.contract import doc_runner
from tools.contract.doc_runner import Step

PAGE = "docs/adding-an-operation.md"
OPERATIONS = ("get_labels", "add_labels")
TYPES = ("LabelsCreate", "Labels", "LabelName")
LANGUAGES = ("python", "typescript", "go", "java", "rust", "php", "ruby", "csharp", "kotlin")
REFERENCE = "dist/docs/api-reference/music"
SAMPLES = ("curl", "python", "javascript", "typescript", "go", "java", "rust", "php", "ruby")
# Committed files that the commands of the page write.
GENERATED = {"generated/wire.py", "generated/contract.json"}
_TOOLS = (".venv", "node_modules")
_OUTPUT_CHARACTERS = 6000


def copy(folder: Path) -> dict[str, bytes]:
    """Copy the project's files into a folder and link its tools there; returns the content of every file."""
    for name in _project_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    for name in _TOOLS:
        (folder / name).symlink_to(ROOT / name)
    return _contents(folder)


def _project_files() -> list[str]:
    """The files that are in Git or could be added to it."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file()]


def _contents(folder: Path) -> dict[str, bytes]:
    """The content of every file by its path, without tools, build products and caches."""
    skipped = {*_TOOLS, "dist", "var"}
    files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return {
        str(path): (folder / path).read_bytes()
        for path in (file.relative_to(folder) for file in files)
        if not skipped & set(path.parts) and not any(part.startswith((".", "__pycache__")) for part in path.parts)
    }


def follow(page: list[Step], folder: Path) -> Iterator[str]:
    """Do every step; yields the first failure and stops there."""
    for step in page:
        if step.file:
            print(f"  write {step.file}", flush=True)
            doc_runner.write(step, folder)
        for command in step.commands:
            output = _run(command, folder)
            if output:
                yield f"{command} failed:\n{output[-_OUTPUT_CHARACTERS:]}"
                return


def _run(command: str, folder: Path) -> str:
    print(f"  run   {command}", end="", flush=True)
    started = time.monotonic()
    output = doc_runner.run(command, folder, os.environ | {"NO_COLOR": "1"})
    print(f"  ({time.monotonic() - started:.0f} s)", flush=True)
    return output


def missing(folder: Path, page: list[Step], before: dict[str, bytes]) -> Iterator[str]:
    """Yields every place that lacks a type or an operation, and every changed file that the page does not show."""
    wire = (folder / "generated" / "wire.py").read_text(encoding="utf-8")
    yield from (f"generated/wire.py has no type {name}" for name in TYPES if not re.search(rf"\b{name}\b", wire))
    for operation in OPERATIONS:
        yield from _not_in_reference(folder, operation)
        yield from _not_in_clients(folder, operation)
    yield from _not_on_page(folder, page, before)


def _not_in_reference(folder: Path, operation: str) -> Iterator[str]:
    file = folder / REFERENCE / f"{operation.replace('_', '-')}.md"
    if not file.exists():
        yield f"{REFERENCE}/{file.name} does not exist"
        return
    text = file.read_text(encoding="utf-8").lower()
    yield from (f"{file.name} has no sample in {name}" for name in SAMPLES if name not in text)


def _not_in_clients(folder: Path, operation: str) -> Iterator[str]:
    for language in LANGUAGES:
        if not _mentions(folder / "dist" / "clients" / language, operation):
            yield f"dist/clients/{language} does not have {operation}"


def _mentions(folder: Path, operation: str) -> bool:
    """Whether a file of the folder has the name of the operation, in snake case, camel case or kebab case."""
    wanted = operation.replace("_", "")
    return any(
        wanted in re.sub(r"[_-]", "", file.read_text(encoding="utf-8", errors="ignore")).lower()
        for file in folder.rglob("*")
        if file.is_file()
    )


def _not_on_page(folder: Path, page: list[Step], before: dict[str, bytes]) -> Iterator[str]:
    after = _contents(folder)
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    shown = {step.file for step in page if step.file}
    yield from (f"{name} changed, and the page does not show it" for name in sorted(changed - shown - GENERATED))


def _failures(folder: Path) -> list[str]:
    """Follow the page in a new copy of the project, and look for what must then be there."""
    before = copy(folder)
    page = list(doc_runner.steps((folder / PAGE).read_text(encoding="utf-8")))
    return list(follow(page, folder)) or list(missing(folder, page, before))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make swap", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the copy")
    kept = parser.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="music-studio-swap-"))
    print(f"Following {PAGE} in {folder}", flush=True)
    try:
        failures = _failures(folder)
    finally:
        if not kept:
            shutil.rmtree(folder)
    print("\n".join(failures) or "All generated files have the operations, and no other file changed.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
