"""The programs in the README of each client: the whole one alone, and the short ones together, one after the other."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.clients.generators import DIST, ROOT

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


BIN = Path(sys.executable).parent
NODE = str(BIN / "node")
STRICT = [
    *("--ignoreConfig", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--noUnusedLocals"),
    *("--module", "nodenext", "--target", "es2023", "--lib", "es2023,dom,dom.iterable,dom.asynciterable"),
    *("--types", "node", "--typeRoots", str(ROOT / "node_modules" / "@types")),
]


def _typescript(parts: Sequence[str]) -> str:
    """One module: its imports go first."""
    lines = "\n".join(parts).split("\n")
    return "\n".join(sorted(lines, key=lambda line: not line.startswith("import ")))


GO = """package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/url"
	"path"
	"time"

	"musicstudio"
)

func main() {
	ctx := context.Background()
"""


def _go(parts: Sequence[str]) -> str:
    """One main function."""
    return GO + "".join(parts) + "}\n"


RUNNERS = {
    "python": Runner(
        "python",
        "readme.py",
        "\n".join,
        [["env", "MYPYPATH=client", sys.executable, "-m", "mypy", "--config-file=", "--strict", "readme.py"]],
        ["env", "PYTHONPATH=client", sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "readme.py"],
    ),
}
RUNNERS["go"] = Runner("go", "readme/main.go", _go, [["go", "vet", "./readme"]], ["go", "run", "./readme"])
RUST = """#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
"""


def _rust(parts: Sequence[str]) -> str:
    """One main function; what a part declares, the next ones use, too."""
    return RUST + "".join(parts) + "Ok(())\n}\n"


RUNNERS["rust"] = Runner(
    "rust",
    "src/bin/readme.rs",
    _rust,
    [["cargo", "clippy", "--quiet", "--bin", "readme", "--", "-D", "warnings", "-A", "clippy::items_after_statements"]],
    ["cargo", "run", "--quiet", "--bin", "readme"],
)
RUNNERS["typescript"] = Runner(
    "ts",
    "readme.mts",
    _typescript,
    [
        [NODE, str(ROOT / "node_modules/typescript/bin/tsc"), "-p", "client"],
        [NODE, str(ROOT / "node_modules/typescript/bin/tsc"), "-p", "client/tsconfig.cjs.json"],
        ["cp", "client/src/esm.json", "client/dist/esm/package.json"],
        [
            "sh",
            "-c",
            "mkdir -p node_modules && ln -sfn ../client node_modules/music-studio-client",
        ],
        [NODE, str(ROOT / "node_modules/typescript/bin/tsc"), *STRICT, "readme.mts"],
    ],
    [NODE, "readme.mjs"],
)


def blocks(language: str) -> tuple[str, list[str]]:
    """The whole program of a README, and its short ones."""
    fence = RUNNERS[language].fence
    text = Path(DIST / language / "README.md").read_text(encoding="utf-8")
    [program] = re.findall(rf"^```{fence} {PROGRAM}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return program, re.findall(rf"^```{fence}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
