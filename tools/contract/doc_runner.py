"""Follows a page of instructions to the letter: the files that it shows are written, its commands are run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r'([a-z-]+)=(?:"((?:[^"\\]|\\.)*)"|(\S+))')


class Step(NamedTuple):
    """One block of the page: a file with its text, or commands; `how` says where the text goes."""

    language: str
    how: dict[str, str]
    text: str

    @property
    def file(self) -> str:
        return self.how.get("file", "")

    @property
    def commands(self) -> list[str]:
        return self.text.splitlines() if self.language == "sh" else []


def steps(page: str) -> Iterator[Step]:
    """The blocks of a page, in order."""
    for language, words, text in _BLOCK.findall(page):
        how = {key: (quoted or plain).replace('\\"', '"') for key, quoted, plain in _WORD.findall(words)}
        yield Step(language, how, text)


def write(step: Step, folder: Path) -> None:
    """Does what a step says of a file. Raises ValueError where the page and the project do not fit."""
    file = folder / step.file
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if "below" in step.how:
        file.write_text(_below(text, step), encoding="utf-8")
    elif "instead-of" in step.how:
        file.write_text(_instead(text, step.file, step.how["instead-of"], step.text), encoding="utf-8")
    elif file.exists():
        raise ValueError(f"{step.file} is there already, and the page writes it anew")
    else:
        file.write_text(step.text, encoding="utf-8")


def _below(text: str, step: Step) -> str:
    wanted = step.how["below"]
    if wanted == "the-end":
        return f"{text.rstrip()}\n\n{step.text}"
    return _instead(text, step.file, wanted, f"{wanted}\n{step.text}")


def _instead(text: str, name: str, wanted: str, new: str) -> str:
    lines = text.splitlines(keepends=True)
    found = [number for number, line in enumerate(lines) if line.rstrip("\n") == wanted]
    if len(found) != 1:
        raise ValueError(f"{name} has no line, or several, that read {wanted!r}")
    return "".join([*lines[: found[0]], new, *lines[found[0] + 1 :]])


def run(command: str, folder: Path, environment: dict[str, str]) -> str:
    """What a command says that fails; nothing of one that does not."""
    told = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return "" if told.returncode == 0 else f"{told.stdout}{told.stderr}".strip() or f"status {told.returncode}"
