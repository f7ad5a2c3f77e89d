"""The programs in the README of each client: the whole one alone, and the short ones together, one after the other."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.clients.languages import JAVA_PATH, JAVAC, MAVEN, MCS
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


PHP = """<?php

require '/usr/share/php/GuzzleHttp/autoload.php';
spl_autoload_register(static function (string $class): void {
    require __DIR__ . '/client/lib/' . strtr(substr($class, strlen('MusicStudio\\\\Client\\\\')), '\\\\', '/') . '.php';
});
"""


def _hoisted(keyword: str, head: str, tail: str) -> Callable[[Sequence[str]], str]:
    """One main function, with the lines that begin with a keyword before its head."""

    def joined(parts: Sequence[str]) -> str:
        lines = "\n".join(parts).split("\n")
        first = [line for line in lines if line.startswith(f"{keyword} ")]
        return "\n".join([*first, head, *(line for line in lines if line not in first), tail])

    return joined


CSHARP = """using System.Threading.Tasks;
internal static class Readme
{
    private static void Main() { Run().GetAwaiter().GetResult(); }
    private static async Task Run()
    {"""
RUNNERS["ruby"] = Runner("ruby", "readme.rb", "\n".join, [], ["ruby", "-w", "-Iclient/lib", "readme.rb"])
RUNNERS["php"] = Runner(
    "php", "readme.php", lambda parts: PHP + "\n".join(parts), [], ["php", "-d", "error_reporting=-1", "readme.php"]
)
RUNNERS["csharp"] = Runner(
    "csharp",
    "Readme.cs",
    _hoisted("using", CSHARP, "    }\n}"),
    [[*MCS, "-out:readme.exe", "-recurse:client/src/*.cs", "Readme.cs"]],
    ["mono", "readme.exe"],
)
JAVA = """public class Program {
  public static void main(String[] arguments) throws Exception {"""
RUNNERS["java"] = Runner(
    "java",
    "Program.java",
    _hoisted("import", JAVA, "  }\n}"),
    [["sh", "-c", f"{JAVAC} Program.java"]],
    ["sh", "-c", f"exec java {JAVA_PATH} Program"],
)
RUNNERS["kotlin"] = Runner(
    "kotlin",
    "client/src/main/kotlin/Readme.kt",
    _hoisted("import", "fun main() {", "}"),
    [MAVEN],
    ["sh", "-c", 'exec java -cp "client/target/classes:$(cat classpath)" ReadmeKt'],
)


def blocks(language: str) -> tuple[str, list[str]]:
    """The whole program of a README, empty if it has none, and its short ones."""
    fence = RUNNERS[language].fence
    text = Path(DIST / language / "README.md").read_text(encoding="utf-8")
    programs = re.findall(rf"^```{fence} {PROGRAM}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return "".join(programs), re.findall(rf"^```{fence}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
