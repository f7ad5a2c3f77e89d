"""Follows a page of instructions: writes the files that it shows and runs its commands."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r'([a-z-]+)=(?:"((?:[^"\\]|\\.)*)"|(\S+))')


class Step(NamedTuple):
    """One code block of the page: a file, whose attributes say where the text goes, or commands."""

    language: str
    attributes: dict[str, str]
    text: str

    @property
    def file(self) -> str:
        return self.attributes.get("file", "")

    @property
    def commands(self) -> list[str]:
        return self.text.splitlines() if self.language == "sh" else []


def steps(page: str) -> Iterator[Step]:
    """The code blocks of a page, in order."""
    for language, info, text in _BLOCK.findall(page):
        found = _ATTRIBUTE.findall(info)
        yield Step(language, {name: (quoted or plain).replace('\\"', '"') for name, quoted, plain in found}, text)


def write(step: Step, folder: Path) -> None:
    """Write the file of a step, or change it. Raises ValueError where the page does not fit the project."""
    file = folder / step.file
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if "below" in step.attributes:
        text = _inserted(text, step)
    elif "instead-of" in step.attributes:
        text = _replaced(text, step, step.attributes["instead-of"], step.text)
    elif file.exists():
        raise ValueError(f"{step.file} exists already, and the page creates it.")
    else:
        text = step.text
    file.write_text(text, encoding="utf-8")


def _inserted(text: str, step: Step) -> str:
    """The text with that of the step below a line or at the end."""
    line = step.attributes["below"]
    if line == "the-end":
        return f"{text.rstrip()}\n\n{step.text}"
    return _replaced(text, step, line, f"{line}\n{step.text}")


def _replaced(text: str, step: Step, line: str, new: str) -> str:
    """The text with new lines in the place of the only line that reads so."""
    lines = text.splitlines(keepends=True)
    found = [number for number, candidate in enumerate(lines) if candidate.rstrip("\n") == line]
    if len(found) != 1:
        raise ValueError(f"{step.file} needs exactly one line {line!r}, and has {len(found)}.")
    lines[found[0]] = new
    return "".join(lines)


def run(command: str, folder: Path, environment: dict[str, str]) -> str:
    """The output of a command that failed; an empty string for a command that succeeded."""
    result = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    output = f"{result.stdout}{result.stderr}".strip()
    return "" if result.returncode == 0 else output or f"status {result.returncode}"
