"""The programs in the README of each client: the whole one alone, and the short ones together, one after the other."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.clients.generators import DIST

PROGRAM = "program"


class Runner(NamedTuple):
    """How the blocks of a language become programs: their fence, the file, and the commands that build and run it.

    `joined` makes one program of the short blocks.
    """

    fence: str
    file: str
    joined: Callable[[Sequence[str]], str]
    build: Sequence[Sequence[str]]
    run: Sequence[str]


RUNNERS = {
    "python": Runner(
        "python",
        "readme.py",
        "\n".join,
        [["env", "MYPYPATH=client", sys.executable, "-m", "mypy", "--config-file=", "--strict", "readme.py"]],
        ["env", "PYTHONPATH=client", sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "readme.py"],
    ),
}


def blocks(language: str) -> tuple[str, list[str]]:
    """The whole program of a README, and its short ones."""
    fence = RUNNERS[language].fence
    text = Path(DIST / language / "README.md").read_text(encoding="utf-8")
    [program] = re.findall(rf"^```{fence} {PROGRAM}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return program, re.findall(rf"^```{fence}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
