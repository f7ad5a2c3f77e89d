"""Commands that compile and run each generated client, with the toolchains and Debian packages they need."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tools.clients import model, templates
from tools.clients.generators import DIST, OWN, ROOT
from web.contract import document as contract
from web.contract.reading import operations

DRIVERS = Path(__file__).parent / "drivers"
WORK = ROOT / "dist" / "clients-proof"
PYTHON = sys.executable
BIN = Path(PYTHON).parent


def succeed(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a program, which must succeed; `timeout` is in seconds."""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=timeout
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done


class Language(NamedTuple):
    """One language: the commands that compile its client and driver, and the one that runs the driver, in `home`."""

    name: str
    compiler: str
    steps: Sequence[Sequence[str]]
    run: Sequence[str]
    needs: dict[str, str]
    source: str = ""
    """The language whose client and driver it has, if it is not called so itself."""

    @property
    def client(self) -> str:
        return self.source or self.name

    @property
    def is_own(self) -> bool:
        """Whether the client comes from our templates."""
        return self.client in OWN

    def operations(self) -> set[str]:
        """The operations that the client must have: those of browsers are in the clients of ours only."""
        known = operations(contract.document())
        return {operation.id for operation in known if self.is_own or not operation.has_own_server}

    @property
    def home(self) -> Path:
        """Build folder with copies of the client, as `client`, and of the driver; it is kept between runs."""
        return WORK / self.name

    @property
    def _stamp(self) -> Path:
        """File that exists while the compiled client is up to date."""
        return self.home / "compiled"

    def agent(self) -> str:
        return f"music-studio-client-{self.client}/{contract.document()['info']['version']}"

    def build(self) -> None:
        """Compiles client and driver; warnings are errors where the compiler has an option for it."""
        self._require_toolchain()
        self._stamp.unlink(missing_ok=True)
        shutil.rmtree(self.home / "client", ignore_errors=True)
        written = DIST / self.client
        assert written.is_dir(), f"{written.relative_to(ROOT)} is not there: run `make clients` first."
        shutil.copytree(written, self.home / "client")
        self._write_driver(DRIVERS / self.client)
        for step in self.steps:
            succeed(step, self.home)
        self._stamp.touch()

    def _write_driver(self, source: Path) -> None:
        language = OWN.get(self.client, templates.Language({}))._replace(finish=lambda _: None)
        templates.write(source, language, model.read(contract.document()), self.home)

    def require_built(self) -> None:
        if not self._stamp.exists():
            self.build()

    def _require_toolchain(self) -> None:
        missing = {needed: package for needed, package in self.needs.items() if not _is_installed(needed)}
        if missing:
            pytest.skip(f"{self.name} needs {', '.join(missing)}; install {' '.join(missing.values())}")


def _is_installed(needed: str) -> bool:
    return Path(needed).exists() if needed.startswith("/") else shutil.which(needed) is not None


def _sh(line: str) -> list[str]:
    return ["sh", "-c", line]


MYPY = ["env", "MYPYPATH=client:.", PYTHON, "-m", "mypy", "--config-file=", "--strict", "--follow-imports=silent"]
NODE = [str(BIN / "node")]
TSC = [*NODE, str(ROOT / "node_modules" / "typescript" / "bin" / "tsc")]
MAVEN = ["mvn", "--batch-mode", "--quiet", "--file", "client/pom.xml", "compile"]
# Dependencies come from the client's pom.xml; the driver runs beside the client without being installed.
CLASSPATH = ["org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath", "-Dmdep.outputFile=../classpath"]
JAVA_PATH = '-cp "built:$(cat classpath)"'
JAVA_SOURCES = "$(find client/src -name '*.java')"
JAVAC = f"javac --release 17 -Werror -Xlint:all -d built {JAVA_PATH}"
JAVADOC = f"javadoc -quiet -Werror -Xdoclint:all -d reference {JAVA_PATH} {JAVA_SOURCES}"
# Debian has Mono instead of a .NET SDK; its compiler supports C# 7, which is all that the client needs.
NEWTONSOFT = "/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll"
PARTS = ("Net.Http", "Runtime.Serialization", "ComponentModel.DataAnnotations", "Web")
MCS = ["mcs", "-langversion:7.2", "-warn:4", f"-r:{NEWTONSOFT}", *(f"-r:System.{part}.dll" for part in PARTS)]
GUZZLE, FARADAY, MARCEL = "/usr/share/php/GuzzleHttp/autoload.php", "ruby-faraday", "ruby-marcel"

_ALL = (
    Language(
        "python",
        "mypy --strict of the package and the driver",
        [[*MYPY, "-p", "music_studio_client", "-m", "driver"]],
        ["env", "PYTHONPATH=client", PYTHON, "-W", "error", "driver.py"],
        {},
    ),
    Language(
        "python, async",
        "mypy --strict of the package and the driver",
        [[*MYPY, "-p", "music_studio_client", "-m", "driver"]],
        ["env", "PYTHONPATH=client", PYTHON, "-W", "error", "driver.py", "--async"],
        {},
        "python",
    ),
    Language(
        "typescript",
        "tsc, strict and stricter",
        [[*TSC, "-p", "client", "--noEmit"], [*TSC, "-p", "."]],
        [*NODE, "built/driver.js"],
        {},
    ),
    Language(
        "go",
        "gofmt, go vet, go build",
        [
            _sh('test -z "$(gofmt -l client)"'),
            _sh("cd client && go vet ./..."),
            ["go", "vet", "."],
            ["go", "build", "-o", "driver", "."],
        ],
        ["./driver"],
        {"go": "golang-go"},
    ),
    Language(
        "java",
        "javac of Java 17, -Xlint:all -Werror; javadoc, -Xdoclint:all -Werror; Maven",
        [[*MAVEN, *CLASSPATH], _sh(f"rm -rf built && mkdir built && {JAVAC} {JAVA_SOURCES} Driver.java"), _sh(JAVADOC)],
        _sh(f"exec java -Dfile.encoding=US-ASCII {JAVA_PATH} Driver"),
        {"javac": "default-jdk-headless", "mvn": "maven"},
    ),
    Language(
        "rust",
        "cargo fmt, clippy (pedantic) and rustdoc, with -D warnings",
        [
            ["cargo", "fmt", "--check", "-p", "music-studio-client"],
            ["cargo", "clippy", "--quiet", "--workspace", "--bin", "driver", "--lib", "--", "-D", "warnings"],
            _sh("RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps -p music-studio-client"),
            ["cargo", "build", "--quiet", "--bin", "driver"],
        ],
        ["target/debug/driver"],
        {"cargo": "cargo", "cargo-clippy": "rust-clippy", "cargo-fmt": "rustfmt"},
    ),
    Language(
        "php",
        "php -l",
        [_sh("find . -name '*.php' -print0 | xargs -0 -n 1 php -d error_reporting=-1 -l")],
        ["php", "-d", "error_reporting=-1", "driver.php"],
        {"php": "php-cli", GUZZLE: "php-guzzlehttp-guzzle php-curl php-mbstring"},
    ),
    Language(
        "ruby",
        "ruby -c",
        [_sh("find . -name '*.rb' -print0 | xargs -0 -n 1 ruby -c")],
        ["ruby", "-Iclient/lib", "driver.rb"],
        {"ruby": f"ruby {FARADAY} {MARCEL}"},
    ),
    Language(
        "csharp",
        "Mono's mcs as C# 7.2; no .NET SDK was there",
        [[*MCS, "-out:driver.exe", "-recurse:client/src/*.cs", "Driver.cs"]],
        ["mono", "driver.exe"],
        {"mcs": "mono-mcs", "mono": "mono-runtime", NEWTONSOFT: "libnewtonsoft-json5.0-cil"},
    ),
    Language(
        "kotlin",
        "kotlinc by Maven",
        [["cp", "Driver.kt", "client/src/main/kotlin/"], [*MAVEN, *CLASSPATH]],
        _sh('exec java -cp "client/target/classes:$(cat classpath)" DriverKt'),
        {"java": "default-jre-headless", "mvn": "maven"},
    ),
)
LANGUAGES = {language.name: language for language in _ALL}
