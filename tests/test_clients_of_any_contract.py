"""The clients of every contract that is served can be generated as `make clients` does, compiled and imported."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from settings import ROOT
from tools.clients import generators
from tools.testing import keyword_cases, merged_contracts
from tools.testing.small_service import Document
from web.contract import conformance

pytestmark = pytest.mark.slow

# Imports every module of the packages in the arguments.
IMPORT = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        importlib.import_module(module.name)
"""


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """Every construct that the service does, in a few contracts."""
    return merged_contracts.merged(keyword_cases.cases(), tmp_path_factory.mktemp("cases"))


def test_merged_contracts_have_every_case_and_are_served(contracts: list[Document]) -> None:
    numbers = {path.split("/")[1] for contract in contracts for path in contract["paths"]}
    assert numbers == {f"c{number}" for number in range(len(keyword_cases.cases()))}
    assert [conformance.findings(contract) for contract in contracts] == [[]] * len(contracts)


def test_clients_in_python_are_generated_and_imported(contracts: list[Document], tmp_path: Path) -> None:
    recipes = [_python_recipe(tmp_path, number, contract) for number, contract in enumerate(contracts)]
    generators.run_recipes(recipes, lambda _: None)
    _run([sys.executable, "-m", "compileall", "-q", str(tmp_path)])
    folders = [str(tmp_path / f"client{number}") for number in range(len(contracts))]
    names = [f"client{number}" for number in range(len(contracts))]
    _run([sys.executable, "-W", "error", "-c", IMPORT, *names], PYTHONPATH=os.pathsep.join(folders))


def _python_recipe(folder: Path, number: int, contract: Document) -> str:
    document, recipe = folder / f"{number}.json", folder / f"{number}.yaml"
    document.write_text(json.dumps(generators.client_contract(contract)), encoding="utf-8")
    own = yaml.safe_load(generators.RECIPES["python"].read_text(encoding="utf-8"))
    content = {
        "generatorName": own["generatorName"],
        "inputSpec": str(document),
        "outputDir": str(folder / f"client{number}"),
        "globalProperties": {"apiTests": "false", "modelTests": "false"},
        "additionalProperties": {"packageName": f"client{number}"},
    }
    recipe.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(recipe)


def test_clients_in_typescript_are_generated_and_compiled(
    contracts: list[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(generators.BIN), prepend=os.pathsep)  # the program begins with `env node`
    monkeypatch.setenv("REDOCLY_TELEMETRY", "off")
    monkeypatch.setenv("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
    source = tmp_path / "src"
    source.mkdir()
    for number, contract in enumerate(contracts):
        document = generators.client_contract(contract)
        generators.run_redocly("typescript", document, tmp_path / f"{number}.json", source / f"client{number}.ts")
    options = (generators.HOME / "typescript" / "tsconfig.json").read_text(encoding="utf-8")
    (tmp_path / "tsconfig.json").write_text(options, encoding="utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    compiler = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    _run([str(generators.BIN / "node"), str(compiler), "-p", str(tmp_path), "--noEmit"])


def _run(command: Sequence[str], **variables: str) -> None:
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
