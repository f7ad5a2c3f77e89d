"""How each client is compiled and driven on this machine, with which toolchain, and what Debian calls it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from clients.generators import DIST, ROOT
from edge import contract

DRIVERS = Path(__file__).parent / "drivers"
WORK = ROOT / "dist" / "clients-proof"
PYTHON = sys.executable
BIN = Path(PYTHON).parent


class Language(NamedTuple):
    """One language; `steps` compile the client and its driver, `run` starts the driver, each in `home`."""

    name: str
    needs: dict[str, str]
    steps: Sequence[Sequence[str]]
    run: Sequence[str]
    ignored: Sequence[str] = ()

    @property
    def home(self) -> Path:
        """A folder with a copy of the client, as `client`, and of the driver; what is built there stays there."""
        return WORK / self.name

    def agent(self) -> str:
        return f"music-studio-client-{self.name}/{contract.document()['info']['version']}"

    def command(self) -> list[str]:
        return list(self.run)

    def build(self) -> None:
        """Compiles everything; a warning is a failure where the compiler can be told so."""
        self._require_toolchain()
        for source, target in ((DIST / self.name, self.home / "client"), (DRIVERS / self.name, self.home)):
            assert source.is_dir(), f"{source.relative_to(ROOT)} is not there: run `make clients` first."
            shutil.rmtree(self.home / "client", ignore_errors=True) if target.name == "client" else None
            shutil.copytree(source, target, dirs_exist_ok=True)
        for step in self.steps:
            told = subprocess.run(step, cwd=self.home, capture_output=True, text=True, check=False, env=_environment())
            assert told.returncode == 0, f"{' '.join(step)}\n{told.stdout[-6000:]}\n{told.stderr[-6000:]}"
        (self.home / "built").touch()

    def require_built(self) -> None:
        if not (self.home / "built").exists():
            self.build()

    def _require_toolchain(self) -> None:
        missing = {program: package for program, package in self.needs.items() if not shutil.which(program)}
        if missing:
            pytest.skip(f"{self.name} needs {', '.join(missing)}: install {' '.join(missing.values())}")


def _environment() -> dict[str, str]:
    """The toolchains' own programs first on PATH, and no progress bars in what they print."""
    return os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "CI": "true"}


def _language(name: str, steps: Sequence[Sequence[str]], run: Sequence[str], **needs: str) -> Language:
    return Language(name, needs, steps, run)


MYPY = ["env", "MYPYPATH=client:.", PYTHON, "-m", "mypy", "--config-file=", "--strict", "--follow-imports=silent"]

NODE = [str(BIN / "node")]
TSC = str(ROOT / "node_modules" / "typescript" / "bin" / "tsc")

MONO_PARTS = ("Net.Http", "Runtime.Serialization", "ComponentModel.DataAnnotations", "Web")
# Debian has no .NET SDK but Mono, whose compiler knows C# 7; the client asks for no more.
NEWTONSOFT = "/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll"
MCS = ["mcs", f"-r:{NEWTONSOFT}", *(f"-r:System.{part}.dll" for part in MONO_PARTS)]
MAVEN = ["mvn", "--batch-mode", "--quiet", "--file", "client/pom.xml"]
# The dependencies are asked for by the client's own pom; the driver then runs beside it without being installed.
CLASSPATH = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath -Dmdep.outputFile=../classpath"
LINT = "-Xlint:all"

LANGUAGES = {
    language.name: language
    for language in (
        _language(
            "python",
            [
                [PYTHON, "-m", "compileall", "-q", "client/music_studio_client"],
                [*MYPY, "-m", "music_studio_client.studio", "-m", "driver"],
            ],
            ["env", "PYTHONPATH=client", PYTHON, "-W", "error", "driver.py"],
        ),
        _language(
            "go",
            [["go", "vet", ".", "music.example.com/musicstudio"], ["go", "build", "-o", "driver", "."]],
            ["./driver"],
            go="golang-go",
        ),
        _language(
            "typescript",
            [[*NODE, TSC, "-p", "client", "--noEmit"], [*NODE, TSC, "-p", "."]],
            [*NODE, "built/driver.js"],
        ),
        _language(
            "java",
            [
                [*MAVEN, "compile", *CLASSPATH.split()],
                ["sh", "-c", f'javac -Werror {LINT} -d built -cp "client/target/classes:$(cat classpath)" Driver.java'],
            ],
            ["sh", "-c", 'exec java -Dfile.encoding=US-ASCII -cp "built:client/target/classes:$(cat classpath)" Driver'],
            javac="default-jdk-headless",
            mvn="maven",
        ),
        _language(
            "rust",
            [["env", "RUSTFLAGS=-D warnings", "cargo", "build", "--quiet"]],
            ["target/debug/driver"],
            cargo="cargo",
        ),
        _language(
            "kotlin",
            [["cp", "Driver.kt", "client/src/main/kotlin/"], [*MAVEN, "compile", *CLASSPATH.split()]],
            ["sh", "-c", 'exec java -cp "client/target/classes:$(cat classpath)" DriverKt'],
            java="default-jre-headless",
            mvn="maven",
        ),
        _language(
            "csharp",
            [[*MCS, "-langversion:7.2", "-warn:4", "-out:driver.exe", "-recurse:client/src/*.cs", "Driver.cs"]],
            ["mono", "driver.exe"],
            mcs="mono-mcs",
            mono="mono-runtime",
        ),
        _language(
            "php",
            [["sh", "-c", "find . -name '*.php' -print0 | xargs -0 -n 1 php -d error_reporting=-1 -l"]],
            ["php", "-d", "error_reporting=-1", "driver.php"],
            php="php-cli",
        ),
        _language(
            "ruby",
            [["sh", "-c", "find . -name '*.rb' -print0 | xargs -0 -n 1 ruby -W:no-deprecated -c"]],
            ["ruby", "-Iclient/lib", "driver.rb"],
            ruby="ruby",
        ),
    )
}
