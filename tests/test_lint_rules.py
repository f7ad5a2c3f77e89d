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
    _plant_faults_of_invalid_requests(faulty)
    return faulty


def _plant_faults_of_invalid_requests(faulty: dict[str, Any]) -> None:
    """`x-invalid-request` names the error that an operation gives in the place of its 422."""
    audio = faulty["paths"]["/music/audio/{file}"]["get"]
    audio["x-invalid-request"] = "NO_SUCH_CODE"
    collections = faulty["paths"]["/music/{organization_id}/collections"]
    collections["get"]["x-invalid-request"] = "ORGANIZATION_ACCESS_DENIED"  # and its 422 stays
    tracks = faulty["paths"]["/music/{organization_id}/tracks"]["get"]
    tracks["x-invalid-request"] = "RANGE_NOT_SATISFIABLE"
    del tracks["responses"]["422"]
    del collections["post"]["responses"]["422"]


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
        "operation-invalid-request: get_audio has the x-invalid-request NO_SUCH_CODE, which is no code of x-errors",
        "operation-invalid-request: list_collections lists a 422, and x-invalid-request replaces it",
        "operation-invalid-request: list_tracks lists no 416, which is the status of its x-invalid-request",
        "operation-statuses: create_collection lists no 422",
    ],
)
def test_fault_is_found(messages: list[str], expected: str) -> None:
    assert any(message.startswith(expected) for message in messages), "\n".join(messages[:40])
