"""The clients of every contract that is served can be generated as `make clients` does, compiled and imported."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from settings import ROOT
from tests.clients.languages import CLASSPATH, DRIVERS, JAVA_SOURCES, JAVAC, JAVADOC, LANGUAGES, MAVEN
from tools.clients import __main__ as clients
from tools.clients import generators, model, templates
from tools.clients.names import NameClash
from tools.clients.shapes import Shape
from tools.testing import keyword_cases, merged_contracts, small_service
from tools.testing.small_service import Document
from web.contract import conformance
from web.contract import document as own

pytestmark = pytest.mark.slow

_TREE = {"$ref": "#/components/schemas/Option"}
_FIELDS = {"type": {"type": "string", "enum": ["", "a b", "A-B", "Self"]}, "self": {"type": "string", "nullable": True}}
# Words that are reserved, an object in itself, and a description that is no Markdown.
AWKWARD = small_service.document(
    {
        "/match/{fn}": {
            "patch": small_service.operation(
                "loop",
                {"200": small_service.response(_TREE)},
                parameters=[
                    small_service.parameter("fn", "path", {"type": "integer"}),
                    small_service.parameter("timeout"),
                    small_service.parameter("move", schema={"type": "array", "items": _FIELDS["type"]}),
                ],
                requestBody=small_service.body(_TREE, required=False),
            )
        }
    },
    schemas={
        "Option": {
            "type": "object",
            "description": "Of <b> and [c], `d and https://music.example/f.",
            "required": ["box"],
            "properties": _FIELDS
            | {"parent": {"nullable": True, "allOf": [_TREE]}, "box": {"type": "array", "items": _TREE}}
            | {"move": {"allOf": [_TREE, {"properties": {"to": {"type": "string"}}}]}},
        }
    },
)

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


def test_an_object_in_itself_is_one_model() -> None:
    read = {found.name: {field.name: field.shape for field in found.properties} for found in model.read(AWKWARD).models}
    assert {name for name in read if name.startswith("Option")} == {"Option", "OptionMove"}
    assert read["Option"]["parent"] == read["OptionMove"]["parent"] == Shape("model", name="Option", nullable=True)
    assert read["Option"]["move"] == read["OptionMove"]["move"] == Shape("model", name="OptionMove")


_METADATA = {
    "python": "pyproject.toml", "typescript": "package.json", "rust": "Cargo.toml", "java": "pom.xml",
    "kotlin": "pom.xml", "php": "composer.json", "ruby": "music_studio_client.gemspec",
    "csharp": "src/MusicStudioClient/MusicStudioClient.csproj",
}  # fmt: skip


def test_metadata_has_the_addresses_of_the_publisher_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homepage, repository, group = "https://music.invalid/clients", "https://git.invalid/clients", "invalid.music"
    options = ["--homepage", homepage, "--repository", repository, "--group-id", group]
    unknown = _metadata(tmp_path / "unknown", monkeypatch)
    known = _metadata(tmp_path / "known", monkeypatch, *options)
    assert {name: sorted(filter(_is_invented, _ADDRESS.findall(text))) for name, text in unknown.items()} == {
        name: [] for name in _METADATA
    }
    assert {name for name, text in known.items() if homepage in text and repository in text} == set(_METADATA)
    assert {name for name, text in known.items() if f"<groupId>{group}</groupId>" in text} == {"java", "kotlin"}


_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_STANDARDS = ("maven.apache.org", "www.w3.org", "spdx.org", "opensource.org")


def _is_invented(address: str) -> bool:
    return urlsplit(address).hostname not in _STANDARDS


def _metadata(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict[str, str]:
    """The file with the metadata of each package, as `make clients` writes it with these options."""
    for name in ("DIST", "WORK"):
        monkeypatch.setattr(generators, name, folder / name)
        monkeypatch.setattr(clients, name, folder / name)
    monkeypatch.setattr(sys, "argv", ["make clients", *options, *_METADATA])
    monkeypatch.chdir(folder.parent)
    clients.main()
    return {name: (folder / "DIST" / name / file).read_text(encoding="utf-8") for name, file in _METADATA.items()}


def test_clients_in_python_are_generated_typed_and_imported(contracts: list[Document], tmp_path: Path) -> None:
    folders = _written("python", contracts, tmp_path)
    for folder in folders:
        options = ["--config-file=", "--strict", "--cache-dir", str(tmp_path / "cache"), "-p", "music_studio_client"]
        _run([sys.executable, "-m", "mypy", *options], MYPYPATH=str(folder))
        _run([sys.executable, "-W", "error", "-c", IMPORT, "music_studio_client"], PYTHONPATH=str(folder))


def test_two_operations_of_one_name_are_refused_in_words(contracts: list[Document]) -> None:
    twice = json.loads(json.dumps(own.document()))
    twice["paths"]["/music/{organization_id}/collections"]["get"]["operationId"] = "get_collections"
    with pytest.raises(NameClash, match=r"get_collections? and get_collections? would both be `get`"):
        model.read(twice)


def test_clients_in_go_are_generated_and_compiled(contracts: list[Document], tmp_path: Path) -> None:
    if not shutil.which("go"):
        pytest.skip("go is missing; install golang-go")
    for folder in _written("go", contracts, tmp_path):
        _run(["go", "-C", str(folder), "vet", "./..."])


def test_clients_in_rust_are_generated_and_compiled(contracts: list[Document], tmp_path: Path) -> None:
    """Beside the driver, whose crates are pinned; what they are compiled to is kept."""
    if not shutil.which("cargo-clippy"):
        pytest.skip("cargo and clippy are missing; install cargo rust-clippy")
    home, package = tmp_path / "home", ["--quiet", "--package", "music-studio-client"]
    variables = {"CARGO_TARGET_DIR": str(LANGUAGES["rust"].home / "target"), "RUSTDOCFLAGS": "-D warnings"}
    templates.write(DRIVERS / "rust", generators.OWN["rust"], model.read(own.document()), home)
    for folder in _written("rust", [*contracts, AWKWARD], tmp_path):
        shutil.rmtree(home / "client", ignore_errors=True)
        # With new times: by these Cargo sees that a file changed.
        shutil.copytree(folder, home / "client", copy_function=shutil.copyfile)
        _run(["cargo", "clippy", *package, "--", "-D", "warnings"], home, **variables)
    _run(["cargo", "doc", "--no-deps", *package], home, **variables)


def test_clients_in_java_are_generated_and_compiled(contracts: list[Document], tmp_path: Path) -> None:
    if not shutil.which("javac") or not shutil.which("mvn"):
        pytest.skip("javac or mvn is missing; install default-jdk-headless maven")
    home = tmp_path / "home"
    home.mkdir()
    for folder in _written("java", [*contracts, AWKWARD], tmp_path):
        shutil.rmtree(home / "client", ignore_errors=True)
        shutil.move(folder, home / "client")
        if not (home / "classpath").exists():
            _run([*MAVEN, *CLASSPATH], home)
        _run(["sh", "-c", f"rm -rf built && mkdir built && {JAVAC} {JAVA_SOURCES}"], home)
    _run(["sh", "-c", JAVADOC], home)


def _written(language: str, contracts: list[Document], folder: Path) -> list[Path]:
    """The folders of the clients of all contracts."""
    folders = [folder / f"client{number}" for number in range(len(contracts))]
    for contract, target in zip(contracts, folders, strict=True):
        templates.write(generators.HOME / language, generators.OWN[language], model.read(contract), target)
    return folders


def test_clients_in_typescript_are_generated_and_compiled(contracts: list[Document], tmp_path: Path) -> None:
    compiler = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    for folder in _written("typescript", contracts, tmp_path):
        _run([str(generators.BIN / "node"), str(compiler), "-p", str(folder), "--noEmit"])


def _run(command: Sequence[str], folder: Path = ROOT, **variables: str) -> None:
    variables = os.environ | variables
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
