"""Toolchains that check, build and run the code samples of each language."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from docsite import samples
from docsite.operations import Operation
from tests.clients.languages import CLASSPATH, JAVA_PATH, JAVA_SOURCES, JAVAC, MAVEN
from tools.testing.service import ROOT

WORK = ROOT / "dist" / "samples"
CLIENTS = ROOT / "dist" / "clients"
BIN = Path(sys.executable).parent
CRATES = Path(__file__).parent / "rust" / "Cargo.toml"
TSC = (
    "--noEmit --ignoreConfig --strict --noUncheckedIndexedAccess --exactOptionalPropertyTypes --noUnusedLocals "
    "--module nodenext --target es2023 --types node --skipLibCheck"
)


class Toolchain(NamedTuple):
    """File name of a sample, commands that build all samples, and the command that runs one."""

    file: Callable[[Operation], str]
    build: Callable[[Path], list[list[str]]]
    run: Callable[[Path, Operation], list[str]]
    environment: Mapping[str, str] = {}


def _interpreted(ending: str, *command: str, **environment: str) -> Toolchain:
    def file(operation: Operation) -> str:
        return f"{operation.slug}.{ending}"

    return Toolchain(file, lambda _: [], lambda folder, o: [*command, str(folder / file(o))], environment)


def _java_class(operation: Operation) -> str:
    return operation.id.title().replace("_", "")


def _sources(folder: Path, pattern: str) -> list[str]:
    return [str(file) for file in sorted(folder.glob(pattern))]


NODE = str(BIN / "node")
TYPESCRIPT = str(ROOT / "node_modules/.bin/tsc")
TOOLCHAINS = {
    "cURL": _interpreted("sh", "bash"),
    "Python SDK": _interpreted("py", sys.executable, "-W", "error", PYTHONPATH=str(CLIENTS / "python")),
    "Python": _interpreted("py", sys.executable, "-W", "error"),
    "JavaScript": _interpreted("mjs", NODE),
    "TypeScript": _interpreted("mts", NODE)._replace(
        build=lambda folder: [
            [TYPESCRIPT, "-p", str(folder / "client")],
            [TYPESCRIPT, *TSC.split(), *_sources(folder, "*.mts")],
        ]
    ),
    "Go": Toolchain(
        lambda o: f"{o.slug}/main.go",
        lambda _: [["gofmt", "-l", "."], ["go", "vet", "./..."], ["go", "build", "-o", "bin/", "./..."]],
        lambda folder, o: [str(folder / "bin" / o.slug)],
    ),
    "Java": Toolchain(
        lambda o: f"{_java_class(o)}.java",
        lambda _: [
            [*MAVEN, *CLASSPATH],
            ["sh", "-c", f"mkdir built && {JAVAC} {JAVA_SOURCES}"],
            ["sh", "-c", f"{JAVAC} *.java"],
        ],
        lambda _, o: ["sh", "-c", f"exec java -Xshare:auto {JAVA_PATH} {_java_class(o)}"],
    ),
    "Rust": Toolchain(
        lambda o: f"src/bin/{o.slug}.rs",
        lambda _: [["cargo", "build", "--quiet"]],
        lambda folder, o: [str(folder / "target" / "debug" / o.slug)],
    ),
    "PHP": _interpreted("php", "php", "-d", "error_reporting=E_ALL", "-d", "display_errors=stderr"),
    "Ruby": _interpreted("rb", "ruby", "-w"),
}
GO_MODULE = "module samples\n\ngo 1.24\n\nrequire musicstudio v0.0.0\n\nreplace musicstudio => ./client\n"
KEPT = ("target", "Cargo.lock")


class Programs:
    """The samples of one language, written and built."""

    def __init__(self, language: samples.Language, operations: list[Operation], origin: str, key: str) -> None:
        self.language = language
        self.toolchain = TOOLCHAINS[language.label]
        self.chatty = language.label == "cURL"  # curl prints its progress to stderr
        self.folder = WORK / language.label.lower().replace(" ", "-")
        own = {samples.KEY_VARIABLE: key, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        self.environment = {**os.environ, **own, **self.toolchain.environment}
        self._write(language, operations, origin)
        for command in self.toolchain.build(self.folder):
            done = self._call(command, 600)
            assert done.returncode == 0, f"{' '.join(command[:3])} refuses the samples:\n{done.stdout}{done.stderr}"
            assert command[0] != "gofmt" or not done.stdout, f"not as gofmt writes it:\n{done.stdout}"

    def run(self, operation: Operation) -> subprocess.CompletedProcess[str]:
        return self._call(self.toolchain.run(self.folder, operation), 60)

    def _write(self, language: samples.Language, operations: list[Operation], origin: str) -> None:
        _empty(self.folder)
        for operation in operations:
            file = self.folder / self.toolchain.file(operation)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(samples.write(operation, language, origin) + "\n", encoding="utf-8")
        if language.label == "Go":
            (self.folder / "go.mod").write_text(GO_MODULE, encoding="utf-8")
            shutil.copytree(CLIENTS / "go", self.folder / "client")
        elif language.label == "TypeScript":
            package = self.folder / "client"
            shutil.copytree(CLIENTS / "typescript", package)
            (self.folder / "node_modules").mkdir()
            (self.folder / "node_modules" / "music-studio-client").symlink_to(package)
            (package / "dist" / "esm").mkdir(parents=True)
            shutil.copy(package / "src" / "esm.json", package / "dist" / "esm" / "package.json")
        elif language.label == "Java":
            shutil.copytree(CLIENTS / "java", self.folder / "client")
        elif language.label == "Rust":
            shutil.copy(CRATES, self.folder)
            shutil.copytree(CLIENTS / "rust", self.folder / "client")

    def _call(self, command: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
        how: dict[str, Any] = {"cwd": self.folder, "env": self.environment, "timeout": timeout}
        return subprocess.run(command, **how, capture_output=True, text=True, check=False)


def _empty(folder: Path) -> None:
    """Empties the folder, except compiler caches."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.name not in KEPT:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
