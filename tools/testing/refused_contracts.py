"""A contract for each row of web/contract/keywords.yaml that refuses; those of fields are made from the table."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from tools.testing.small_service import Document, body, document, operation, parameter, response
from web.contract import conformance, objects

Row = tuple[str, ...]
# A value for rows with a pattern, where a word with the pattern's stars filled in would not be valid OpenAPI.
WORDS: dict[Row, str] = {
    ("OpenAPI", "openapi", "*"): "3.0.9",
    ("RequestBody", "content", "multipart/*"): "multipart/form-data",
    ("RequestBody", "content", "*/[*]"): "text/*",
    ("Response", "content", "*/[*]"): "*/*",
    ("Responses", "[1-5]XX"): "4XX",
}
# Fields that cannot stand beside a field.
INSTEAD_OF = {"operationRef": "operationId", "content": "schema"}
SCHEMES = {
    "http": "HTTPSecurityScheme",
    "oauth2": "OAuth2SecurityScheme",
    "openIdConnect": "OpenIdConnectSecurityScheme",
}
THING, THINGS = "/things/{thing_id}", "/things"
BODY = "#/paths/~1things/post/requestBody/content/application~1json/schema"


class Refused(NamedTuple):
    """A contract, and what its refusal must name."""

    document: Document
    title: str
    keyword: str
    sentence: str


def of_fields() -> Iterator[tuple[Row, Refused]]:
    """A contract for each refused field and value, made from the table and the published schema of OpenAPI 3.0."""
    for kind, fields in conformance.table()["objects"].items():
        for field, state in fields.items():
            for word, sentence in state.items() if isinstance(state, dict) else ():
                if sentence not in conformance.ACCEPTED:
                    yield (kind, field, word), _with_value((kind, field, word), sentence)
            if isinstance(state, str) and state not in conformance.ACCEPTED:
                yield (kind, field), _with_field(kind, WORDS.get((kind, field), field), state)


def _with_field(kind: str, field: str, sentence: str) -> Refused:
    found, node, title = _host(kind)
    node.pop(INSTEAD_OF.get(field, field), None)
    node[field] = _instance(_field_schema(kind, field))
    return Refused(found, title, f"`{field}`", sentence)


def _with_value(row: tuple[str, str, str], sentence: str) -> Refused:
    kind, field, word = *row[:2], WORDS.get(row, row[2])
    found, node, title = _host(kind)
    if kind == "SecurityScheme" and field in ("type", "scheme"):
        node.clear()
        node.update(_instance({"$ref": f"#/definitions/{SCHEMES.get(word, SCHEMES['http'])}"}) | {"type": "http"})
    held = objects.child(kind, field) or ""
    value: Any = {"true": True, "false": False}.get(word, word)
    node[field] = {word: _instance({"$ref": f"#/definitions/{held.strip('{}')}"})} if held.startswith("{") else value
    return Refused(found, title, f"`{field}: {word}`", sentence)


def _host(kind: str) -> tuple[Document, dict[str, Any], str]:
    """A contract, its object of this kind, and the title under which a fault of the object is reported."""
    found = small()
    thing, things = found["paths"][THING], found["paths"][THINGS]
    made = things["post"]["responses"]["201"]
    hosts: dict[str, tuple[Any, str]] = {
        "OpenAPI": (found, "document"),
        "Server": (found["servers"][0], "servers"),
        "Components": (found["components"], "components"),
        "PathItem": (thing, THING),
        "Operation": (thing["get"], f"{THING} GET"),
        "Parameter": (thing["get"]["parameters"][0], f"{THING} GET"),
        "RequestBody": (things["post"]["requestBody"], f"{THINGS} POST"),
        "MediaType": (things["post"]["requestBody"]["content"]["application/json"], f"{THINGS} POST"),
        "Responses": (thing["get"]["responses"], f"{THING} GET"),
        "Response": (thing["get"]["responses"]["200"], f"{THING} GET"),
        "Header": (made["headers"]["X-Size"], f"{THINGS} POST"),
        "Link": (made["links"]["made"], f"{THINGS} POST"),
        "Schema": (things["post"]["requestBody"]["content"]["application/json"]["schema"], f"{THINGS} POST"),
        "SecurityScheme": (found["components"]["securitySchemes"]["ApiKeyAuth"], "components/securitySchemes"),
    }
    node, title = hosts[kind]
    return found, node, title


def _field_schema(kind: str, field: str) -> Any:
    published = _published()
    schema = published if kind == "OpenAPI" else published["definitions"][kind]
    patterns = {pattern: found for pattern, found in schema.get("patternProperties", {}).items() if pattern != "^x-"}
    matching = (found for pattern, found in patterns.items() if re.search(pattern, field))
    return schema.get("properties", {}).get(field) or next(matching)


def _instance(schema: Any) -> Any:
    """The smallest value of a schema of the published JSON Schema; a text, a number or a truth value is any."""
    if "$ref" in schema:
        return _instance(_published()["definitions"][schema["$ref"].rpartition("/")[2]])
    if "oneOf" in schema:
        return _instance(schema["oneOf"][0])
    kind = schema.get("type", "object")
    if kind == "array":
        return [_instance(schema["items"])] * schema.get("minItems", 0)
    if kind == "object":
        names = schema.get("required") or list(schema.get("properties", {}))[: schema.get("minProperties", 0)]
        found = {name: _instance(schema["properties"][name]) for name in names}
        if {"$ref": "#/definitions/SchemaXORContent"} in schema.get("allOf", []):
            found["schema"] = {}
        if not found and schema.get("minProperties"):
            found["text"] = _instance(schema["additionalProperties"])
        return found
    return {"string": "text", "boolean": True}.get(kind, 1)


@cache
def _published() -> Any:
    """The JSON Schema of OpenAPI 3.0 as the OpenAPI Initiative publishes it."""
    file = files("openapi_spec_validator") / "resources" / "schemas" / "v3.0" / "schema.json"
    return json.loads(file.read_text(encoding="utf-8"))


def small() -> Document:
    """A contract that is served: it reads one thing and creates one."""
    thing = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    link = {"operationId": "get_thing", "parameters": {"thing_id": "$response.body#/id"}}
    made = response(thing, links={"made": link}, headers={"X-Size": {"schema": {"type": "integer"}}})
    return document(
        {
            THING: {
                "parameters": [parameter("thing_id", "path")],
                "get": operation("get_thing", parameters=[parameter("page")]),
            },
            THINGS: {"post": operation("post_thing", {"201": made}, requestBody=body(copy.deepcopy(thing)))},
        }
    )


def of_rules() -> dict[tuple[str, str], Callable[[Document], str]]:
    """For each rule a change of the small contract that breaks it, and returns the title of the fault."""
    return {
        ("OpenAPI", "other than one server"): _set("document", "servers", value=[]),
        ("OpenAPI", "no error catalog"): _set("document", *CODES, "x-errors", "NOT_ACCEPTABLE", "status", value=200),
        ("OpenAPI", "error code that is not in x-errors"): _set("document", *CODES, "x-errors", "NOT_ACCEPTABLE"),
        ("OpenAPI", "quota without a rate"): _set("document", "x-rate-limits", "default", "requests", value=0),
        ("OpenAPI", "two operations with one operationId"): _set("document", *POST, "operationId", value="get_thing"),
        ("Server", "url without a path that begins with a slash"): _set("servers", "servers", 0, "url", value="v1"),
        ("Server", "variable that is not declared"): _set("servers", "servers", 0, "url", value="/{base}"),
        ("Paths", "two templates of one form"): _path("/things/{other}"),
        ("Paths", "template below the documentation"): _below_docs,
        ("PathItem", "other than one server"): _set(THING, "paths", THING, "servers", value=[]),
        ("Operation", "no operationId"): _set(AT_GET, *GET, "operationId"),
        ("Operation", "other than one tag"): _set(AT_GET, *GET, "tags", value=["things", "others"]),
        ("Operation", "no quota"): _set(AT_GET, *GET, "x-rate-limit", value="other"),
        ("Operation", "quota of a public operation with variables in its path"): _set(
            AT_GET, *GET, "security", value=[]
        ),
        ("Operation", "x-token-rate-limit that is no quota per token, or without {token} in the path"): _set(
            AT_GET, *GET, "x-token-rate-limit", value="default"
        ),
        ("Operation", "requestBody of GET, HEAD or DELETE"): _set(AT_GET, *GET, "requestBody", value=body({})),
        ("Operation", "x-scope of a public operation"): _set(
            AT_GET, *GET, value=operation("get_thing", security=[], **{"x-scope": "music:read"})
        ),
        ("Operation", "x-invalid-request that is no error of the operation"): _set(
            AT_GET, *GET, "x-invalid-request", value="NOT_FOUND"
        ),
        ("Operation", "x-sunset or x-deprecation of an operation that is not deprecated"): _set(
            AT_GET, *GET, "x-sunset", value="2027-06-30"
        ),
        ("Operation", "x-sunset or x-deprecation with an unknown value"): _set(
            AT_GET, *GET, "x-deprecation", value={"until": "2027-06-30"}
        ),
        ("Operation", "security scheme that is not declared"): _set(AT_GET, *GET, "security", value=[{"Other": []}]),
        ("Operation", "variable of the path without a parameter"): _set(AT_GET, "paths", THING, "parameters"),
        ("Operation", "path parameter that is not in the path"): _parameter(parameter("other", "path")),
        ("Operation", "two parameters of one name"): _parameter(parameter("Thing-Id", "header")),
        ("Operation", "header parameter that OpenAPI ignores"): _parameter(parameter("Accept", "header")),
        ("Operation", "If-None-Match of another method than GET or HEAD"): _set(
            AT_POST, *POST, "parameters", value=[parameter("If-None-Match", "header")]
        ),
        ("Operation", "Idempotency-Key where it does not work"): _parameter(parameter("Idempotency-Key", "header")),
        ("Operation", "x-idempotency without Idempotency-Key"): _set(AT_POST, *POST, "x-idempotency", value="handler"),
        ("Operation", "no success response"): _set(AT_GET, *GET, "responses", "200"),
        ("Operation", "informational response"): _response("103", response({})),
        ("Operation", "304 without If-None-Match"): _response("304", {"description": "Not modified."}),
        ("Operation", "content of a 204 or 304"): _response("204", response({})),
        ("Operation", "link with a value that is not found"): _set(
            AT_POST, *LINK, "parameters", "thing_id", value="$request.path.thing_id"
        ),
        ("Operation", "error response without the envelope"): _response("404", response({})),
        ("Parameter", "path parameter that is not required"): _path_parameter(required=False),
        ("Parameter", "parameter without a plain value"): _parameter(parameter("a", schema={"type": "object"})),
        ("Parameter", "nullable parameter"): _parameter(parameter("a", schema={"type": "string", "nullable": True})),
        ("Parameter", "style of another place"): _parameter(parameter("a", style="simple")),
        ("Header", "header without a plain value"): _set(
            AT_POST, *MADE, "headers", "X-Size", "schema", value={"type": "object"}
        ),
        ("Header", "required header that the service sends in some responses only"): _set(
            AT_POST, *MADE, "headers", "RateLimit", value={"required": True, "schema": {"type": "string"}}
        ),
        ("RequestBody", "several media types with different schemas"): _set(
            AT_POST, *POST, "requestBody", "content", "text/plain", value={"schema": {}}
        ),
        ("MediaType", "text or bytes with a schema that is no string"): _set(
            AT_POST, *POST, "requestBody", "content", value={"text/csv": {"schema": {"type": "object"}}}
        ),
        ("MediaType", "no schema"): _set(AT_POST, *POST, "requestBody", "content", "application/json", "schema"),
        ("Response", "several media types with different schemas"): _set(
            AT_POST, *MADE, "content", "application/yaml", value={"schema": {}}
        ),
        ("Link", "operationId that does not exist"): _set(AT_POST, *LINK, "operationId", value="find_thing"),
        ("Schema", "discriminator without alternatives"): _schema(
            type="object", discriminator={"propertyName": "kind"}
        ),
        ("Schema", "nullable with an enum without null"): _schema(type="string", nullable=True, enum=["a"]),
        ("Schema", "exclusiveMinimum without minimum, or exclusiveMaximum without maximum"): _schema(
            exclusiveMinimum=True
        ),
        ("Schema", "array without items"): _schema(type="array"),
        ("Schema", "pattern that takes more than linear time or is no regular expression"): _schema(pattern="^(?=a)b$"),
        ("Schema", "format of another type"): _schema(type="integer", format="date"),
        ("Schema", "schema that is a part of itself"): _schema(allOf=[{"anyOf": [{"$ref": BODY}, {}]}]),
        ("Schema", "default in a body"): _schema(type="string", default="a"),
        ("Schema", "default that breaks its schema"): _parameter(
            parameter("a", schema={"type": "integer", "default": "a"})
        ),
    }


AT_GET, AT_POST = f"{THING} GET", f"{THINGS} POST"
GET, POST = ("paths", THING, "get"), ("paths", THINGS, "post")
MADE = (*POST, "responses", "201")
LINK = (*MADE, "links", "made")
CODES = ("components", "schemas", "ErrorCode")
Break = Callable[[Document], str]


def _set(title: str, *path: Any, value: Any = None) -> Break:
    """Sets the value at a path of keys; None removes it."""

    def change(found: Document) -> str:
        node: Any = found
        for key in path[:-1]:
            node = node[key]
        if value is None:
            del node[path[-1]]
        else:
            node[path[-1]] = value
        return title

    return change


def _path(*templates: str) -> Break:
    def change(found: Document) -> str:
        for number, template in enumerate(templates):
            names = re.findall(r"\{(\w+)\}", template)
            parameters = [parameter(name, "path") for name in names]
            found["paths"][template] = {"get": operation(f"get_other{number}", parameters=parameters)}
        return "paths"

    return change


def _below_docs(found: Document) -> str:
    found["servers"] = [{"url": "/"}]
    return _path("/docs/things")(found)


def _parameter(node: dict[str, Any]) -> Break:
    return _set(AT_GET, *GET, "parameters", 0, value=node)


def _path_parameter(**fields: Any) -> Break:
    return _set(THING, "paths", THING, "parameters", 0, value=parameter("thing_id", "path") | fields)


def _response(status: str, node: dict[str, Any]) -> Break:
    return _set(AT_GET, *GET, "responses", status, value=node)


def _schema(**keywords: Any) -> Break:
    return _set(AT_POST, *POST, "requestBody", "content", "application/json", "schema", value=keywords)
