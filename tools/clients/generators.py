"""The client generators: templates of our own, and openapi-generator for the other languages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.clients import go, java, model, python, rust, templates, typescript
from tools.clients.model import Publisher
from web.contract import document as strict
from web.contract import relaxed_contract

HOME = Path(__file__).parent
ROOT = HOME.parents[1]
DIST = ROOT / "dist" / "clients"
WORK = ROOT / "dist" / "clients-work"
BIN = Path(sys.executable).parent
RECIPES = {file.stem: file for file in sorted(HOME.glob("*.yaml"))}
OWN = {
    "python": python.LANGUAGE,
    "typescript": typescript.LANGUAGE,
    "go": go.LANGUAGE,
    "rust": rust.LANGUAGE,
    "java": java.LANGUAGE,
}
LANGUAGES = sorted({*RECIPES, *OWN})
Done = Callable[[str], None]


class Failed(Exception):
    """A generator failed; the text is its output."""


def client_contract(contract: dict[str, Any] | None = None) -> dict[str, Any]:
    """A contract, by default the project's, relaxed.

    It has 4XX and 5XX in place of `default`, which openapi-generator's Python ignores.
    """
    document = relaxed_contract.relax(contract or strict.document())
    for operation in relaxed_contract.operations(document):
        error = operation["responses"].pop("default")
        operation["responses"] |= {"4XX": error, "5XX": error}
    return document


def from_templates(languages: Sequence[str], contract: dict[str, Any], done: Done, publisher: Publisher) -> None:
    """Writes the clients of the languages that have templates of ours; calls `done` for each."""
    client = model.read(contract, publisher)
    for language in languages:
        templates.write(HOME / language, OWN[language], client, DIST / language)
        shutil.copy(ROOT / "CHANGELOG.md", DIST / language)
        done(language)


def openapi_generator(languages: Sequence[str], document: dict[str, Any], done: Done, publisher: Publisher) -> None:
    """Writes the clients of several languages in one run; calls `done` for each."""
    if not languages:
        return
    contract = WORK / "openapi.json"
    contract.write_text(json.dumps(document), encoding="utf-8")
    patches = {name: yaml.safe_load(RECIPES[name].read_text("utf-8")).get("patch", []) for name in languages}
    recipes = [_recipe(language, contract, document, publisher) for language in languages]
    run_recipes(recipes, done)
    for language in languages:
        shutil.rmtree(DIST / language / ".openapi-generator")
        shutil.copy(ROOT / "CHANGELOG.md", DIST / language)
        for patch in patches[language]:
            _patch(language, patch)


def run_recipes(recipes: Sequence[str], done: Done) -> None:
    """Runs openapi-generator once for several recipes; calls `done` for each language. Raises Failed."""
    command = [str(BIN / "openapi-generator-cli"), "batch", "--fail-fast", "--threads", "2", *recipes]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as program:
        output = list(_report_progress(program.stdout or (), done))
    if program.returncode:
        raise Failed("".join(output)[-4000:])


def _recipe(language: str, contract: Path, document: dict[str, Any], publisher: Publisher) -> str:
    """Writes a recipe with the common options: paths, version, and no generated tests; returns its file."""
    own = yaml.safe_load(RECIPES[language].read_text(encoding="utf-8"))
    own.pop("patch", None)
    version = document["info"]["version"]
    common = {
        "inputSpec": str(contract),
        "outputDir": str(DIST / language),
        "templateDir": str(HOME / language),
        "ignoreFileOverride": str(HOME / "ignore"),
        "globalProperties": {"apiTests": "false", "modelTests": "false"},
    }
    properties = dict.fromkeys(("packageVersion", "artifactVersion", "gemVersion"), version)
    properties |= {"hideGenerationTimestamp": True, "httpUserAgent": f"music-studio-client-{language}/{version}"}
    written = WORK / f"{language}.yaml"
    known = model.completed(publisher, document)
    given = {"homepage": known.homepage, "repository": known.repository, "groupId": known.group_id}
    properties |= own.get("additionalProperties", {}) | {name: value for name, value in given.items() if value}
    own["additionalProperties"] = properties
    written.write_text(yaml.safe_dump(common | own), encoding="utf-8")
    return str(written)


def _patch(language: str, patch: dict[str, str]) -> None:
    """Patches an error in generated files. Raises Failed if the pattern does not occur any more."""
    pattern, new = patch.get("pattern") or re.escape(patch["old"]), patch["new"]
    replacements = 0
    for file in (DIST / language).glob(patch["in"]):
        text, times = re.subn(pattern, new, file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8")
        replacements += times
    if not replacements:
        raise Failed(
            f"tools/clients/{language}.yaml patches {pattern!r} in {patch['in']}, which does not occur any more."
        )


def _report_progress(lines: Any, done: Done) -> Iterator[str]:
    for line in lines:
        if match := re.search(r"Finished generating ([a-z]+)", line):
            done(match[1])
        yield line
