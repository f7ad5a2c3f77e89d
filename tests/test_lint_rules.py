"""`make lint` finds planted faults: names that collide in generated code, unpaired examples, missing error headers."""

import copy
import json
import subprocess
from typing import Any

import pytest

from settings import ROOT
from tools.contract import redocly_diff
from web.contract import document as contract

SPECTRAL = str(ROOT / "node_modules" / ".bin" / "spectral")


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What Spectral says about a contract with all faults of this module."""
    file = tmp_path_factory.mktemp("lint") / "openapi.json"
    file.write_text(json.dumps(_faulty(contract.document())), encoding="utf-8")
    command = [SPECTRAL, "lint", "-r", str(ROOT / "spectral.yaml"), "--format", "json", "--quiet", str(file)]
    done = subprocess.run(command, env=redocly_diff.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return [f"{finding['code']}: {finding['message']}" for finding in json.loads(done.stdout)]


def _faulty(document: dict[str, Any]) -> dict[str, Any]:
    faulty = copy.deepcopy(document)
    components = faulty["components"]
    components["parameters"]["TrackId"] = components["parameters"]["TrackIdPath"]
    components["schemas"]["NewCollection"] = components["schemas"]["CollectionCreate"]
    del components["schemas"]["ErrorType"]["x-enum-varnames"]
    components["schemas"]["ErrorCode"]["x-enum-varnames"] = ["MALFORMED_REQUEST"]
    del components["responses"]["BadRequest"]["headers"]["Link"]
    del components["responses"]["InternalServerError"]["headers"]["Retry-After"]
    created = faulty["paths"]["/music/{organization_id}/collections"]["post"]["responses"]["201"]
    examples = created["content"]["application/json"]["examples"]
    examples["only_a_name"] = examples.pop("name_only")
    return faulty


@pytest.mark.slow
@pytest.mark.parametrize(
    "expected",
    [
        "name-unique: TrackId is also the name that components/schemas/TrackId has in generated code",
        "name-unique: NewCollection is also the name that components/schemas/Collection has in generated code",
        "name-unique: VALIDATION_ERROR is also the name that components/schemas/ErrorType/enum/3 has in generated code",
        "name-unique: x-enum-varnames of ErrorCode needs one name for each value, in camel case",
        "response-headers: 400 of list_collections has no header Link",
        "response-headers: 500 of list_collections has no header Retry-After",
        "response-example-paired: create_collection has the request examples name_and_description, name_only and",
    ],
)
def test_fault_is_found(messages: list[str], expected: str) -> None:
    assert any(message.startswith(expected) for message in messages), "\n".join(messages[:40])
