"""Follows a page of instructions to the letter: the files that it shows are written, its commands are run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r"^```(\w+)(.*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r'([a-z-]+)=(?:"([^"]*(?:\\"[^"]*)*)"|(\S+))')


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
    if "below" in step.how:
        file.write_text(_below(file.read_text(encoding="utf-8"), step), encoding="utf-8")
    elif "instead-of" in step.how:
        file.write_text(_instead(file.read_text(encoding="utf-8"), step), encoding="utf-8")
    elif file.exists():
        raise ValueError(f"{step.file} is there already, and the page writes it anew")
    else:
        file.write_text(step.text, encoding="utf-8")


def _below(text: str, step: Step) -> str:
    if step.how["below"] == "the-end":
        return f"{text.rstrip()}\n\n{step.text}"
    return _instead(text, step._replace(how=step.how | {"instead-of": step.how["below"]},
                                        text=step.how["below"] + "\n" + step.text))  # fmt: skip


def _instead(text: str, step: Step) -> str:
    line = step.how["instead-of"] + "\n"
    if f"\n{text}".count(f"\n{line}") != 1:
        raise ValueError(f"{step.file} has no line, or several, that read {step.how['instead-of']!r}")
    return f"\n{text}".replace(f"\n{line}", f"\n{step.text}")[1:]


def run(command: str, folder: Path, environment: dict[str, str]) -> str:
    """What a command says that fails; nothing of one that does not."""
    told = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return "" if told.returncode == 0 else f"{told.stdout}{told.stderr}".strip() or f"status {told.returncode}"
