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

from tools.clients import relaxed_contract

HOME = Path(__file__).parent
ROOT = HOME.parents[1]
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
    command = [str(BIN / "openapi-generator-cli"), "batch", "--fail-fast", "--threads", "2", *recipes]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as program:
        told = list(_told(program.stdout or (), done))
    if program.returncode:
        raise Failed("".join(told)[-4000:])
    for language in languages:
        shutil.rmtree(DIST / language / ".openapi-generator")
        for mend in mends[language]:
            _mend(language, mend)


def redocly(language: str, whole: dict[str, Any], done: Done) -> None:
    """Writes the one client of Redocly's generator, and beside it the files of its folder."""
    contract, target = WORK / f"openapi-{language}.json", DIST / language
    contract.write_text(json.dumps(_named_as_in_javascript(whole)), encoding="utf-8")
    asked = ["generate-client", contract, "--config", RECIPES[language], "--output", target / "src" / "client.ts"]
    command = [str(ROOT / "node_modules/.bin/redocly"), *map(str, asked)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
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


def _mend(language: str, mend: dict[str, str]) -> None:
    """Corrects what a generator writes wrongly; where it no longer does, the recipe has to be told."""
    pattern, new = mend.get("pattern") or re.escape(mend["old"]), mend["new"]
    mended = 0
    for file in (DIST / language).glob(mend["in"]):
        text, times = re.subn(pattern, new, file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8")
        mended += times
    if not mended:
        raise Failed(
            f"tools/clients/{language}.yaml mends {pattern!r} in {mend['in']}, but nothing there reads so any more."
        )


def _told(lines: Any, done: Done) -> Iterator[str]:
    for line in lines:
        if found := re.search(r"Finished generating ([a-z]+)", line):
            done(found[1])
        yield line


def _named_as_in_javascript(whole: dict[str, Any]) -> dict[str, Any]:
    """The contract with `listCollections` for `list_collections`, and without the links by the other names."""
    renamed: dict[str, Any] = json.loads(json.dumps(whole))
    for operation in relaxed_contract.operations(renamed):
        operation["operationId"] = re.sub(r"_([a-z])", lambda found: found[1].upper(), operation["operationId"])
        operation.pop("x-related", None)
        for response in operation["responses"].values():
            response.pop("links", None)
    return renamed
