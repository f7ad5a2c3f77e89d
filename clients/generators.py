"""The two programs that write clients: openapi-generator for most languages, Redocly's generator for TypeScript."""

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

from clients import reading

HOME = Path(__file__).parent
ROOT = HOME.parent
DIST = ROOT / "dist" / "clients"
WORK = ROOT / "dist" / "clients-work"
BIN = Path(sys.executable).parent
RECIPES = {file.stem: file for file in sorted(HOME.glob("*.yaml"))}
Done = Callable[[str], None]


class Failed(Exception):
    """A generator's own words when it gave up."""


def openapi_generator(languages: Sequence[str], whole: dict[str, Any], done: Done) -> None:
    """Writes the clients of several languages in one run, and says of each when it is done."""
    if not languages:
        return
    contract = WORK / "openapi.json"
    contract.write_text(json.dumps(whole), encoding="utf-8")
    mends = {language: yaml.safe_load(RECIPES[language].read_text("utf-8")).get("mend", []) for language in languages}
    recipes = [_recipe(language, contract, whole) for language in languages]
    program = subprocess.Popen(
        [str(BIN / "openapi-generator-cli"), "batch", "--fail-fast", "--threads", "2", *recipes],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    told = list(_told(program.stdout or (), done))
    if program.wait():
        raise Failed("".join(told)[-4000:])
    for language in languages:
        shutil.rmtree(DIST / language / ".openapi-generator")
        for mend in mends[language]:
            _mend(language, mend["in"], mend["old"], mend["new"])


def redocly(language: str, whole: dict[str, Any], done: Done) -> None:
    """Writes the one client of Redocly's generator, and beside it the files of its folder."""
    contract, target = WORK / f"openapi-{language}.json", DIST / language
    contract.write_text(json.dumps(_named_as_in_javascript(whole)), encoding="utf-8")
    command = [ROOT / "node_modules/.bin/redocly", "generate-client", contract, "-o", target / "src" / "client.ts"]
    told = subprocess.run([*command, "--config", RECIPES[language]], capture_output=True, text=True, check=False)
    if told.returncode:
        raise Failed(told.stdout + told.stderr)
    for file in (file for file in (HOME / language).rglob("*") if file.is_file()):
        copy = target / file.relative_to(HOME / language)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text("utf-8").replace("{{{version}}}", whole["info"]["version"]), encoding="utf-8")
    done(language)


def _recipe(language: str, contract: Path, whole: dict[str, Any]) -> str:
    """A recipe with what all have in common: where it reads and writes, the version, and no tests that test nothing."""
    own = yaml.safe_load(RECIPES[language].read_text(encoding="utf-8"))
    own.pop("mend", None)
    if inputs := own.pop("inputs", None):
        contract = contract.with_name(f"openapi-{language}.json")
        contract.write_text(_renamed(json.dumps(whole), inputs), encoding="utf-8")
    version = whole["info"]["version"]
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
    own["additionalProperties"] = properties | own.get("additionalProperties", {})
    written.write_text(yaml.safe_dump(common | own), encoding="utf-8")
    return str(written)


def _renamed(document: str, inputs: str) -> str:
    """The contract with another name for each schema `New...`."""
    return re.sub(r'("|/schemas/)New([A-Z]\w*)"', lambda found: f'{found[1]}{inputs.format(found[2])}"', document)


def _mend(language: str, place: str, old: str, new: str) -> None:
    """Corrects what a generator writes wrongly; where it no longer does, the recipe has to be told."""
    files = [file for file in (DIST / language).glob(place) if old in file.read_text(encoding="utf-8")]
    if not files:
        raise Failed(f"clients/{language}.yaml mends {old!r} in {place}, but nothing there reads so any more.")
    for file in files:
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def _told(lines: Any, done: Done) -> Iterator[str]:
    for line in lines:
        if found := re.search(r"Finished generating ([a-z]+)", line):
            done(found[1])
        yield line


def _named_as_in_javascript(whole: dict[str, Any]) -> dict[str, Any]:
    """The contract with `listCollections` for `list_collections`, and the lists marked as such."""
    renamed: dict[str, Any] = json.loads(json.dumps(whole))
    for operation in reading.operations(renamed):
        operation["operationId"] = re.sub(r"_([a-z])", lambda found: found[1].upper(), operation["operationId"])
        operation.pop("x-related", None)
        for response in operation["responses"].values():
            response.pop("links", None)
    return renamed
