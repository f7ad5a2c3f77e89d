"""Generators that others wrote: how each is installed, reads the client view, and is compiled and driven."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tools.clients import generators
from tools.testing.service import ROOT
from web.contract import document, relaxed_contract

HOME = Path(__file__).parent
WORK = ROOT / "dist" / "third-party"
BIN = Path(sys.executable).parent
CONTRACT = "openapi.client.json"
Command = Sequence[str]


class Toolchain(NamedTuple):
    """The generators of one language: the folder of their lock file and drivers, and the commands to run in a copy.

    `lock` is the name of the lock file, or a pattern of several.

    `install` runs when the lock file has changed, `build` generates the clients and compiles them and their drivers.
    """

    name: str
    lock: str
    needs: Sequence[str]
    install: Sequence[Command]
    build: Sequence[Command]
    clients: dict[str, Command]
    """The command that runs the driver of each generator."""

    @property
    def folder(self) -> Path:
        return WORK / self.name

    def prepare(self) -> None:
        """Installs the generators, generates and compiles. Skips the test if a compiler is missing."""
        missing = [needed for needed in self.needs if shutil.which(needed) is None]
        if missing:
            pytest.skip(f"{self.name} needs {', '.join(missing)}")
        shutil.rmtree(self.folder / "generated", ignore_errors=True)
        shutil.copytree(HOME / self.name, self.folder, dirs_exist_ok=True)
        self._write_contract()
        locks = sorted(self.folder.glob(self.lock))
        digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()
        stamp = self.folder / f"installed-{digest[:16]}"
        if not stamp.exists():
            for command in self.install:
                self._run(command)
            stamp.touch()
        for command in self.build:
            self._run(command)

    def _write_contract(self) -> None:
        contract = relaxed_contract.relax(document.document())
        if self.name == "rust":  # progenitor stops at `default` beside a success
            contract = generators.client_contract()
        (self.folder / CONTRACT).write_text(json.dumps(contract), encoding="utf-8")
        (self.folder / "generated").mkdir(exist_ok=True)

    def _run(self, command: Command) -> None:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"


def _sh(line: str) -> Command:
    return ["sh", "-c", line]


NODE = str(BIN / "node")
OPENAPI_GENERATOR = f"'{BIN / 'openapi-generator-cli'}' generate -i {CONTRACT}"
MYPY = (
    f"'{sys.executable}' -m mypy --config-file= --strict --explicit-package-bases --python-executable=venv/bin/python"
)
PYTHON = "venv/bin/python"
# Without this option openapi-generator reads an object without additionalProperties as closed, against the standard.
OPEN = "--additional-properties disallowAdditionalPropertiesIfNotPresent=false"

_ALL = (
    Toolchain(
        "node",
        "package-lock.json",
        (),
        install=[_sh(f"PATH='{BIN}':$PATH npm ci --ignore-scripts --loglevel=error")],
        build=[
            [NODE, "node_modules/openapi-typescript/bin/cli.js", CONTRACT, "-o", "generated/schema.d.ts"],
            _sh(f"'{NODE}' node_modules/.bin/openapi-ts -i {CONTRACT} -o generated/hey -c @hey-api/client-fetch"),
            [NODE, "node_modules/typescript/bin/tsc", "-p", "."],
        ],
        clients={
            "openapi-fetch": [NODE, "built/openapi_fetch.js"],
            "hey-api": [NODE, "built/hey_api.js"],
        },
    ),
    Toolchain(
        "python",
        "requirements.lock",
        (),
        install=[
            [sys.executable, "-m", "venv", "--clear", "venv"],
            [PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", "requirements.lock"],
        ],
        build=[
            _sh(
                f'PATH="$PWD/venv/bin:$PATH" openapi-python-client generate --path {CONTRACT} --meta none '
                "--config openapi_python_client.yaml --output-path generated/client --overwrite --fail-on-warning"
            ),
            _sh(f"{OPENAPI_GENERATOR} -g python -o generated/stock --package-name stock_client"),
            _sh(
                f"{MYPY} --follow-imports=silent openapi_python_client.py generated/client/api generated/client/models"
            ),
            _sh(f"MYPYPATH=generated/stock {MYPY} --follow-imports=silent openapi_generator.py"),
        ],
        clients={
            "openapi-python-client": [PYTHON, "openapi_python_client.py"],
            "openapi-generator-python": ["env", "PYTHONPATH=generated/stock", PYTHON, "openapi_generator.py"],
        },
    ),
    Toolchain(
        "go",
        "go.sum",
        ("go",),
        install=[["go", "build", "-o", "bin/", "tool"]],
        build=[
            ["mkdir", "-p", "generated/oapi"],
            ["bin/oapi-codegen", "-config", "oapi-codegen.yaml", CONTRACT],
            _sh(f"bin/ogen --config ogen.yaml --target generated/ogenclient --package ogenclient {CONTRACT}"),
            _sh(f"{OPENAPI_GENERATOR} -g go -o generated/stock --package-name stock {OPEN}"),
            ["rm", "-r", "generated/stock/go.mod", "generated/stock/test"],
            ["go", "vet", "./..."],
            ["go", "build", "-o", "bin/", "./oapi", "./ogen-driver", "./stock"],
        ],
        clients={
            "oapi-codegen": ["bin/oapi"],
            "ogen": ["bin/ogen-driver"],
            "openapi-generator-go": ["bin/stock"],
        },
    ),
    Toolchain(
        "rust",
        "Cargo.toml",
        ("cargo",),
        install=[],
        build=[["env", "RUSTFLAGS=-D warnings", "cargo", "build", "--quiet"]],
        clients={"progenitor": ["target/debug/progenitor-driver"]},
    ),
)


# Not generators: they send the requests of a release.
RUNNERS = Toolchain(
    "runners",
    "package-lock.json",
    (),
    install=[_sh(f"PATH='{BIN}':$PATH npm ci --ignore-scripts --loglevel=error")],
    build=[],
    clients={
        "newman": [NODE, "node_modules/newman/bin/newman.js", "run"],
        "httpyac": [NODE, "node_modules/httpyac/bin/httpyac.js", "send"],
    },
)


# The published SDK, of the newest version of each of its lines.
SDK = Toolchain(
    "sdk",
    "requirements-*.lock",
    (),
    install=[
        command
        for line in ("0", "5")
        for command in (
            [sys.executable, "-m", "venv", "--clear", f"venv-{line}"],
            [
                f"venv-{line}/bin/python",
                "-m",
                "pip",
                "install",
                "--quiet",
                "--require-hashes",
                "-r",
                f"requirements-{line}.lock",
            ],
        )
    ],
    build=[],
    clients={line: [f"venv-{line}/bin/python", "driver.py"] for line in ("0", "5")},
)


@cache
def prepared(name: str) -> Toolchain:
    """The toolchain with its clients compiled, once per run."""
    toolchain = TOOLCHAINS[name]
    toolchain.prepare()
    return toolchain


TOOLCHAINS = {toolchain.name: toolchain for toolchain in _ALL}
CLIENTS = {client: toolchain.name for toolchain in _ALL for client in toolchain.clients}
