"""The swap test: docs/adding-an-operation.md is followed in a copy, and all that is derived must then be there."""

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
TYPES = ("NewLabels", "Labels", "LabelName")
LANGUAGES = ("python", "typescript", "go", "java", "rust", "php", "ruby", "csharp", "kotlin")
REFERENCE = "dist/docs/api-reference/music"
SAMPLES = ("curl", "python", "javascript", "typescript", "go", "java", "rust", "php", "ruby")
# What the commands write, and nobody by hand.
WRITTEN = {"generated/wire.py"}
_TOOLS = (".venv", "node_modules")


def copy(folder: Path) -> dict[str, bytes]:
    """The project's own files in a folder, with its tools linked; gives back what each file held."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name in _TOOLS:
        (folder / name).symlink_to(ROOT / name)
    return _held(folder)


def _held(folder: Path) -> dict[str, bytes]:
    skipped = {*_TOOLS, "dist", "var"}
    files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return {
        str(path): (folder / path).read_bytes()
        for path in (file.relative_to(folder) for file in files)
        if not skipped & set(path.parts) and not any(part.startswith((".", "__pycache__")) for part in path.parts)
    }


def follow(page: list[Step], folder: Path) -> Iterator[str]:
    """Does every step; yields what goes wrong, and stops there."""
    environment = os.environ | {"NO_COLOR": "1"}
    for step in page:
        if step.file:
            print(f"  writes {step.file}", flush=True)
            doc_runner.write(step, folder)
        for command in step.commands:
            print(f"  runs   {command}", end="", flush=True)
            started = time.monotonic()
            said = doc_runner.run(command, folder, environment)
            print(f"  ({time.monotonic() - started:.0f} s)", flush=True)
            if said:
                yield f"{command} failed:\n{said[-6000:]}"
                return


def missing(folder: Path, page: list[Step], before: dict[str, bytes]) -> Iterator[str]:
    """What should have come by itself and is not there, and what was touched without a word on the page."""
    wire = (folder / "generated" / "wire.py").read_text(encoding="utf-8")
    yield from (f"generated/wire.py has no type {name}" for name in TYPES if not re.search(rf"\b{name}\b", wire))
    for operation in OPERATIONS:
        yield from _not_in_reference(folder, operation)
        for language in LANGUAGES:
            if not _mentions(folder / "dist" / "clients" / language, operation):
                yield f"dist/clients/{language} does not have {operation}"
    shown = {step.file for step in page if step.file}
    after = _held(folder)
    touched = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    yield from (f"{name} changed, and the page does not show it" for name in sorted(touched - shown - WRITTEN))


def _not_in_reference(folder: Path, operation: str) -> Iterator[str]:
    file = folder / REFERENCE / f"{operation.replace('_', '-')}.md"
    if not file.exists():
        yield f"{REFERENCE}/{file.name} is not there"
        return
    text = file.read_text(encoding="utf-8").lower()
    yield from (f"{file.name} has no sample in {name}" for name in SAMPLES if name not in text)


def _mentions(folder: Path, operation: str) -> bool:
    """Whether any file below has the operation's name, in whatever spelling the language likes."""
    wanted = operation.replace("_", "")
    return any(
        wanted in re.sub(r"[_-]", "", file.read_text(encoding="utf-8", errors="ignore")).lower()
        for file in folder.rglob("*")
        if file.is_file()
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make swap", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the copy for a look")
    kept = parser.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="music-studio-swap-"))
    print(f"Following {PAGE} in {folder}", flush=True)
    try:
        before = copy(folder)
        page = list(doc_runner.steps((folder / PAGE).read_text(encoding="utf-8")))
        found = list(follow(page, folder)) or list(missing(folder, page, before))
    finally:
        if not kept:
            shutil.rmtree(folder)
    print("\n".join(found) or "All that is derived is there, and nothing else was touched.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
