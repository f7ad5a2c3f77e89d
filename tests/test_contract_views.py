"""The published views of the contract: strict, for client generators, in OpenAPI 3.1, and as YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from openapi_schema_validator import OAS30Validator, OAS31Validator
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from tools.testing.service import Services, assert_envelope
from tools.testing.values import values
from web.contract import document, openapi_31, relaxed_contract
from web.contract.reading import OperationObject, operations

STRICT = document.document()
CLIENT = relaxed_contract.relax(STRICT)
NEWEST = openapi_31.convert(STRICT)
VIEWS = {"/v1/openapi.json": STRICT, "/v1/openapi.client.json": CLIENT, "/v1/openapi.3.1.json": NEWEST}
YAML = "/v1/openapi.yaml"
every_view = pytest.mark.parametrize("path", [*VIEWS, YAML])
ERROR = {"$ref": "#/components/responses/Error"}
# Their paths have a server of their own, beside the API.
FOR_BROWSERS = {"get_shared_page", "get_shared_audio"}
LIMITS = relaxed_contract.LIMITS - {"enum"}


@pytest.fixture
def anonymous(services: Services) -> httpx.Client:
    service = services.actors("sqlite").service
    client = service.client()
    client.base_url = httpx.URL(service.url)
    return client


def test_served_views_equal_the_document(anonymous: httpx.Client) -> None:
    for path, expected in VIEWS.items():
        served = anonymous.get(path)
        assert served.json() == expected
        assert list(served.json()) == list(expected)
        assert served.headers["Content-Type"] == "application/json"


def test_yaml_holds_the_strict_view(anonymous: httpx.Client) -> None:
    served = anonymous.get(YAML)
    assert yaml.safe_load(served.text) == STRICT
    assert served.headers["Content-Type"] == "application/yaml"
    assert anonymous.head(YAML).headers["Content-Length"] == str(len(served.content))
    assert_envelope(anonymous.get(f"{YAML}/"), "ENDPOINT_NOT_FOUND")
    refused = anonymous.post(YAML)
    assert_envelope(refused, "METHOD_NOT_ALLOWED")
    assert refused.headers["Allow"] == "GET, HEAD"


def test_served_contract_contains_no_python_names(anonymous: httpx.Client) -> None:
    served = anonymous.get("/v1/openapi.json").text
    for word in ("x-openapi-router-controller", "InfoFunc", "web.", "handlers.", "models."):
        assert word not in served


@every_view
def test_view_with_known_etag_gets_304(anonymous: httpx.Client, path: str) -> None:
    tag = anonymous.get(path).headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        response = anonymous.get(path, headers={"If-None-Match": known})
        assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", tag)
    assert anonymous.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_views_have_etags_of_their_own(anonymous: httpx.Client) -> None:
    assert len({anonymous.get(path).headers["ETag"] for path in (*VIEWS, YAML)}) == 4


def test_views_name_the_public_address(services: Services, anonymous: httpx.Client) -> None:
    public = services.variant(services.actors("sqlite").service, PUBLIC_URL="https://music.example")
    for path in VIEWS:
        assert anonymous.get(path).json()["servers"][0]["url"] == "/v1"
        served = httpx.get(public.url + path, trust_env=False).json()
        assert served["servers"][0]["url"] == "https://music.example/v1"
        beside = [item["servers"][0]["url"] for item in served["paths"].values() if "servers" in item]
        assert beside == ([] if path == "/v1/openapi.client.json" else ["https://music.example/"] * len(FOR_BROWSERS))
    missing = httpx.get(f"{public.url}/v1/nothing", trust_env=False)
    page = "https://music.example/docs/api-reference/music/errors#endpoint_not_found"
    assert missing.headers["Link"] == f'<{page}>; rel="help"'


def test_views_are_valid_openapi() -> None:
    OpenAPIV30SpecValidator(STRICT).validate()
    OpenAPIV30SpecValidator(CLIENT).validate()
    OpenAPIV31SpecValidator(NEWEST).validate()
    assert NEWEST["openapi"].startswith("3.1.")


def test_client_view_has_one_error_for_all_statuses() -> None:
    for operation in operations(CLIENT):
        assert {status for status in operation.node["responses"] if status >= "4"} == {"default"}, operation.id
        assert operation.node["responses"]["default"] == ERROR


def test_client_view_has_the_operations_and_types_of_the_strict_one() -> None:
    called = [operation.id for operation in operations(STRICT) if operation.id not in FOR_BROWSERS]
    assert [operation.id for operation in operations(CLIENT)] == called
    assert set(CLIENT["components"]["schemas"]) == set(STRICT["components"]["schemas"])
    assert set(CLIENT["components"]["responses"]) == {"Error", "NotModified", "AudioNotModified"}


def test_client_view_has_no_limits_and_no_closed_answers() -> None:
    found = 0
    for operation in operations(CLIENT):
        for answer in operation.responses.values():
            for schema in _schemas(answer, operation):
                found += 1
                assert schema.get("additionalProperties") is not False, f"{operation.id}: {schema}"
                assert not relaxed_contract.LIMITS & schema.keys(), f"{operation.id}: {schema}"
    assert found > 100


def test_client_view_keeps_requests_closed() -> None:
    bodies = [
        (operation.id, operation.follow(operation.body["schema"])) for operation in operations(CLIENT) if operation.body
    ]
    assert bodies
    for name, body in bodies:
        assert body["additionalProperties"] is False, name
        assert not any(LIMITS & node.keys() for node in body["properties"].values()), name


def test_client_view_has_one_media_type_for_a_request_body() -> None:
    merge_patch = "application/merge-patch+json"
    bodies = {operation.id: operation.request_body for operation in operations(STRICT) if operation.request_body}
    assert set(bodies["update_collection"]["content"]) == {"application/json", merge_patch}
    for operation in operations(CLIENT):
        if operation.request_body:
            assert list(operation.request_body["content"]) == ["application/json"], operation.id
            assert operation.request_body.keys() == bodies[operation.id].keys()


def test_client_view_keeps_media_types_that_differ() -> None:
    changed = json.loads(json.dumps(STRICT))
    path = "/music/{organization_id}/collections/{collection_id}"
    content = changed["paths"][path]["patch"]["requestBody"]["content"]
    content["application/merge-patch+json"]["schema"] = {"$ref": "#/components/schemas/CollectionOrder"}
    relaxed = relaxed_contract.relax(changed)["paths"][path]["patch"]["requestBody"]
    assert set(relaxed["content"]) == {"application/json", "application/merge-patch+json"}
    del content["application/json"]
    relaxed = relaxed_contract.relax(changed)["paths"][path]["patch"]["requestBody"]
    assert set(relaxed["content"]) == {"application/merge-patch+json"}


def test_client_view_keeps_enumerations_as_constants() -> None:
    for name in ("ErrorCode", "ErrorType"):
        assert CLIENT["components"]["schemas"][name] == STRICT["components"]["schemas"][name]
    assert "$ref" not in CLIENT["components"]["schemas"]["ErrorBody"]["properties"]["code"]


def test_client_view_opens_a_schema_that_is_sent_and_answered() -> None:
    both = json.loads(json.dumps(STRICT))
    answer = both["paths"]["/health/live"]["get"]["responses"]["200"]
    answer["content"]["application/json"]["schema"] = {"$ref": "#/components/schemas/CollectionCreate"}
    assert "additionalProperties" not in relaxed_contract.relax(both)["components"]["schemas"]["CollectionCreate"]


def test_client_view_leaves_values_alone() -> None:
    changed = json.loads(json.dumps(STRICT))
    example = {"type": "string", "pattern": "^a$", "enum": ["a"], "additionalProperties": False}
    changed["components"]["schemas"]["Collection"]["example"] = example
    assert relaxed_contract.relax(changed)["components"]["schemas"]["Collection"]["example"] == example


def test_client_view_tells_data_from_schemas() -> None:
    changed = json.loads(json.dumps(STRICT))
    properties = {"example": {"type": "string", "maxLength": 5}, "free": {"maxLength": 5}, "none": {"not": {}}}
    data = {"example": {"$ref": "#/nowhere"}, "properties": properties}
    changed["components"]["schemas"]["Collection"] = {"type": "object", **data, "enum": [{"$ref": "#/nowhere"}]}
    changed["components"]["schemas"]["CollectionCreate"] = {"type": "object", **data}
    relaxed = relaxed_contract.relax(changed)["components"]["schemas"]
    opened = {"example": {"type": "string"}, "free": {}, "none": {"not": {}}}
    assert relaxed["CollectionCreate"] == {"type": "object", **data, "properties": opened}
    assert relaxed["Collection"] == changed["components"]["schemas"]["Collection"]


def _schemas(node: Any, operation: OperationObject, above: tuple[int, ...] = ()) -> Iterator[dict[str, Any]]:
    """Every object with a `type` below a node; references are followed."""
    node = operation.follow(node)
    if id(node) in above:
        return
    if isinstance(node, dict) and isinstance(node.get("type"), str):
        yield node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        if key not in ("example", "examples", "links"):
            yield from _schemas(child, operation, (*above, id(node)))


# Every keyword whose form differs between OpenAPI 3.0 and 3.1, alone and in combination.
DIFFERENT = {
    "nullable text": {"type": "string", "nullable": True, "maxLength": 3},
    "nullable false": {"type": "string", "nullable": False},
    "nullable object": {
        "type": "object",
        "nullable": True,
        "required": ["a"],
        "properties": {"a": {"type": "integer"}},
    },
    "nullable items": {"type": "array", "items": {"type": "integer", "nullable": True}, "maxItems": 2},
    "nullable without type": {"nullable": True, "allOf": [{"type": "string"}]},
    "nullable enumeration": {"type": "string", "nullable": True, "enum": ["a", "b", None]},
    "enumeration of one value": {"type": "string", "enum": ["a"]},
    "exclusive bounds": {
        "type": "integer",
        "minimum": 1,
        "exclusiveMinimum": True,
        "maximum": 5,
        "exclusiveMaximum": True,
    },
    "inclusive bounds": {"type": "integer", "minimum": 1, "exclusiveMinimum": False, "maximum": 5},
    "example": {"type": "integer", "example": 7, "minimum": 7},
    "a property named nullable": {
        "type": "object",
        "required": ["nullable"],
        "properties": {"nullable": {"type": "boolean"}, "example": {"type": "string"}},
        "additionalProperties": False,
    },
    "alternatives": {"anyOf": [{"type": "string", "nullable": True}, {"type": "integer", "enum": [1]}]},
    "not": {"not": {"type": "string", "nullable": True}},
    "reference": {"$ref": "#/components/schemas/Timestamp"},
}
SCHEMAS = STRICT["components"]["schemas"] | DIFFERENT


@pytest.mark.parametrize("name", SCHEMAS)
def test_openapi_31_describes_the_same_values(name: str) -> None:
    older, newer, verdicts = _validator_30(SCHEMAS[name]), _validator_31(SCHEMAS[name]), set()

    @settings(max_examples=60, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(values(SCHEMAS[name], STRICT))
    def compare(value: Any) -> None:
        verdict = older.is_valid(value)
        assert newer.is_valid(value) is verdict, value
        verdicts.add(verdict)

    compare()
    assert verdicts == {True, False}, "the values were all valid, or all invalid"


def test_openapi_31_drops_what_stands_beside_a_reference() -> None:
    node = {"$ref": "#/components/schemas/Timestamp", "nullable": True, "maxLength": 3}
    assert openapi_31.schema(node) == {"$ref": "#/components/schemas/Timestamp"}


def _validator_30(schema: dict[str, Any]) -> Any:
    return OAS30Validator({"components": STRICT["components"], "allOf": [schema]})


def _validator_31(schema: dict[str, Any]) -> Any:
    root = {"components": NEWEST["components"], "allOf": [openapi_31.schema(schema)]}
    OAS31Validator.check_schema(root)
    return OAS31Validator(root)
