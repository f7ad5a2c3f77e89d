"""Two contracts for each `done` row of web/contract/keywords.yaml, which differ in it and answer differently."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tools.testing.small_service import (
    SECRET,
    Document,
    Handler,
    body,
    document,
    errors,
    operation,
    parameter,
    response,
    returning,
)
from web.responses import WithStatus

Row = tuple[str, ...]
THING = {"id": "a b", "name": "x"}


class Request(NamedTuple):
    """One request to a small service; without headers it has Alice's key."""

    method: str = "GET"
    path: str = "/v1/things"
    headers: Mapping[str, str] | None = None
    json: Any = None


class Case(NamedTuple):
    """A contract with a keyword and one without it, or with another value of it, and the requests that show it."""

    one: Document
    other: Document
    requests: tuple[Request, ...] = (Request(),)
    handlers: Mapping[str, Handler] = {}
    files: Mapping[str, Document] = {}
    settings: Mapping[str, Any] = {}


# A schema with the keyword, a value that it refuses and that the same schema without the keyword takes.
SCHEMAS: dict[str, tuple[dict[str, Any], Any]] = {
    "multipleOf": ({"multipleOf": 0.01}, 0.075),
    "maximum": ({"maximum": 5}, 6),
    "minimum": ({"minimum": 5}, 4),
    "exclusiveMaximum": ({"exclusiveMaximum": True, "maximum": 5}, 5),
    "exclusiveMinimum": ({"exclusiveMinimum": True, "minimum": 5}, 5),
    "maxLength": ({"maxLength": 2}, "abc"),
    "minLength": ({"minLength": 2}, "a"),
    "pattern": ({"pattern": "^a+$"}, "b"),
    "maxItems": ({"maxItems": 1}, [1, 2]),
    "minItems": ({"minItems": 1}, []),
    "uniqueItems": ({"uniqueItems": True}, [1, 1]),
    "maxProperties": ({"maxProperties": 1}, {"a": 1, "b": 2}),
    "minProperties": ({"minProperties": 1}, {}),
    "required": ({"required": ["a"]}, {}),
    "enum": ({"enum": [1, {"$ref": "#/nowhere"}]}, 2),
    "type": ({"type": "object"}, []),
    "not": ({"not": {"type": "string"}}, "a"),
    "allOf": ({"allOf": [{"type": "string"}, {"maxLength": 1}]}, "ab"),
    "oneOf": ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, 3),
    "anyOf": ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, []),
    "items": ({"items": {"type": "string"}}, [1]),
    "properties": ({"properties": {"on": {"type": "string"}}}, {"on": 1}),
    "additionalProperties": ({"additionalProperties": False}, {"a": 1}),
}
# A value that is not of the format.
FORMATS: dict[str, Any] = {
    "int32": 2**31, "int64": 2**63, "float": 1e39, "byte": "a!", "date": "2026-02-30", "date-time": "2026-01-01",
    "duration": "1 day", "email": "a", "hostname": "-a", "ipv4": "1.2.3", "ipv6": "::g", "json-pointer": "a",
    "regex": "(", "time": "25:00:00Z", "uri": "/a", "uri-reference": "\\", "uri-template": "{", "uuid": "a",
}  # fmt: skip
NUMBERS = {"int32": "integer", "int64": "integer", "float": "number"}


def cases() -> dict[Row, Case]:
    """The cases by object, field and value."""
    found: dict[Row, Case] = {
        ("Schema", keyword): _refusing(schema, keyword, value) for keyword, (schema, value) in SCHEMAS.items()
    }
    for name, value in FORMATS.items():
        schema = {"type": NUMBERS.get(name, "string"), "format": name}
        found["Schema", "format", name] = _refusing(schema, "format", value)
    parts = (_schemas(), _document(), _path_items(), _operations(), _parameters(), _bodies(), _links(), _security())
    return {row: case for part in (found, *parts) for row, case in part.items()}


def _refusing(schema: dict[str, Any], keyword: str, value: Any) -> Case:
    without = {word: kept for word, kept in schema.items() if word != keyword}
    return Case(_posting(schema), _posting(without), (Request("POST", json=value),))


def _posting(schema: Any, **components: Any) -> Document:
    return document({"/things": {"post": operation("post_thing", requestBody=body(schema))}}, **components)


def _showing(schema: Any) -> Document:
    return _getting(responses={"200": response(schema)} | errors())


def _getting(*parameters: Any, **fields: Any) -> Document:
    return document({"/things": {"get": operation("get_thing", parameters=list(parameters), **fields)}})


def _changed(found: Document, *path: str, value: Any) -> Document:
    """The document with another value at a path of keys."""
    node = found
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return found


def _schemas() -> dict[Row, Case]:
    many, one = ({"type": "array", "items": {"type": "string"} | extra} for extra in ({"nullable": True}, {}))
    page, plain = (parameter("page", schema={"type": "integer"} | extra) for extra in ({"default": 7}, {}))
    words = ("components", "schemas", "ErrorCode", "x-errors", "VALIDATION_ERROR", "message")
    unknown = (Request(path="/v1/things?x=1"),)
    pet = {"type": "object", "properties": {"kind": {"type": "string"}}}
    pets = {name: pet | {"required": [required]} for name, required in {"Cat": "lives", "Dog": "barks"}.items()}
    either = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in pets]}

    def telling(**discriminator: Any) -> Document:
        return _posting(either | {"discriminator": discriminator}, schemas=pets)

    cat_barks, untold = Request("POST", json={"kind": "Cat", "barks": 1}), _posting(either, schemas=pets)
    by_kind, by_name = telling(propertyName="kind"), telling(propertyName="name")
    mapped = telling(propertyName="kind", mapping={"cat": "#/components/schemas/Cat"})
    made, phrase = ({"type": "object", "properties": {"a": {flag: True}}} for flag in ("readOnly", "writeOnly"))
    free = {"type": "object", "properties": {"a": {}}}
    sent, shown = (Request("POST", json={"a": 1}),), {"get_thing": returning({"a": 1})}
    return {
        ("Schema", "discriminator"): Case(by_kind, untold, (cat_barks,)),
        ("Discriminator", "propertyName"): Case(by_kind, by_name, (cat_barks,)),
        ("Discriminator", "mapping"): Case(mapped, by_kind, (Request("POST", json={"kind": "cat", "lives": 9}),)),
        ("Schema", "readOnly", "true"): Case(_posting(made), _posting(free), sent),
        ("Schema", "writeOnly", "true"): Case(_showing(phrase), _showing(free), handlers=shown),
        ("Schema", "nullable"): Case(_posting(many), _posting(one), (Request("POST", json=[None]),)),
        ("Schema", "default"): Case(_getting(page), _getting(plain)),
        ("Schema", "x-errors"): Case(_getting(), _changed(_getting(), *words, value="No."), unknown),
    }


def _document() -> dict[Row, Case]:
    there = _changed(_getting(), "servers", value=[{"url": "/v2"}])
    seldom = _changed(_getting(), "x-rate-limits", "default", "requests", value=1)
    elsewhere = document({"/other": {"get": operation("get_thing")}})
    elsewhere_below = _changed(_getting(), "paths", "/things", "servers", value=[{"url": "/v2"}])
    named, other = ({"Name": {"type": kind}} for kind in ("string", "integer"))
    reference = {"$ref": "#/components/schemas/Name"}
    components = Case(
        _posting(reference, schemas=named), _posting(reference, schemas=other), (Request("POST", json="a"),)
    )
    return {
        ("OpenAPI", "servers"): Case(_getting(), there),
        ("PathItem", "servers"): Case(elsewhere_below, _getting()),
        ("Server", "url"): Case(_getting(), there),
        ("Server", "variables"): Case(_based("v1"), _based("v2")),
        ("ServerVariable", "default"): Case(_based("v1"), _based("v2")),
        ("OpenAPI", "security"): Case(_getting(), _changed(_getting(), "security", value=[]), (Request(headers={}),)),
        ("OpenAPI", "x-rate-limits"): Case(_getting(), seldom, (Request(), Request()), settings={"rate_limit": ""}),
        ("OpenAPI", "paths"): Case(_getting(), elsewhere),
        ("Paths", "/*"): Case(_getting(), elsewhere),
        ("OpenAPI", "components"): components,
        ("Components", "schemas"): components,
    } | _components()


def _based(default: str) -> Document:
    server = {"url": "https://music.example/{base}", "variables": {"base": {"default": default}}}
    return _changed(_getting(), "servers", value=[server])


def _components() -> dict[Row, Case]:
    """The same operation with other components behind its references."""

    def posting(section: str, field: str, node: Any) -> Document:
        reference: Any = {"$ref": f"#/components/{section}/Named"}
        forms: dict[str, Any] = {"parameters": [reference], "responses": {"200": reference} | errors()}
        fields = {field: forms.get(field, reference)}
        return document({"/things": {"post": operation("post_thing") | fields}}, **{section: {"Named": node}})

    def case(section: str, field: str, one: Any, other: Any, request: Request) -> Case:
        return Case(posting(section, field, one), posting(section, field, other), (request,))

    asked = Request("POST", "/v1/things?a=1", json=[])
    a, b = parameter("a"), parameter("b")
    strict, open_ = body({"type": "object"}), body({})
    right, wrong = response({"type": "object"}), response({"type": "array", "items": {}})
    return {
        ("Components", "parameters"): case("parameters", "parameters", a, b, asked),
        ("Components", "requestBodies"): case("requestBodies", "requestBody", strict, open_, asked),
        ("Components", "responses"): case("responses", "responses", right, wrong, Request("POST")),
    }


def _path_items() -> dict[Row, Case]:
    shared = {"/things": {"parameters": [parameter("a")], "get": operation("get_thing")}}
    alone = {"/things": {"get": operation("get_thing")}}
    item = {"item": {"get": _referring("contract.json", operation("get_thing"))}}
    outside = document({"/things": {"$ref": "items.json#/item"}})
    inside, absent = document(alone), document({"/other": {"$ref": "items.json#/item"}})
    methods: dict[Row, Case] = {}
    for method, other in {
        "get": "put",
        "put": "get",
        "post": "get",
        "delete": "get",
        "patch": "get",
        "head": "put",
    }.items():
        one, another = (document({"/things": {name: operation("do_thing")}}) for name in (method, other))
        methods["PathItem", method] = Case(one, another, (Request(method.upper()),))
    return methods | {
        ("PathItem", "parameters"): Case(document(shared), inside, (Request(path="/v1/things?a=1"),)),
        ("PathItem", "$ref"): Case(outside, absent, files={"items": item}),
    }


def _referring(file: str, node: Any) -> Any:
    """The node with references into a file instead of its own."""
    return json.loads(json.dumps(node).replace('"#/components', f'"{file}#/components'))


def _operations() -> dict[Row, Case]:
    tagged = _changed(_getting(), "paths", "/things", "get", "tags", value=["others"])
    stingy = _changed(_getting(), "x-rate-limits", "stingy", value={"per": "credential", "requests": 1, "seconds": 60})
    limited = _changed(stingy, "paths", "/things", "get", "x-rate-limit", value="stingy")
    old = {"deprecated": True, "x-sunset": "2027-06-30", "x-deprecation": {"since": "2026-12-01", "link": "/why"}}
    later, since = {"x-sunset": "2028-06-30"}, {"x-deprecation": {"since": "2026-11-01"}}
    created = {"responses": {"202": response({})} | errors()}
    keyed = {"X-API-Key": SECRET, "Idempotency-Key": "a"}
    opened = Request(path="/v1/things/a")
    once = tuple(Request("POST", headers=keyed, json=number) for number in (1, 2))
    return {
        ("Operation", "tags"): Case(_getting(), tagged),
        ("Operation", "operationId"): Case(_getting(), _getting(operationId="find_thing")),
        ("Operation", "parameters"): Case(_getting(parameter("a")), _getting(), (Request(path="/v1/things?a=1"),)),
        ("Operation", "requestBody"): Case(
            _posting({}), document({"/things": {"post": operation("post_thing")}}), (Request("POST", json=1),)
        ),
        ("Operation", "responses"): Case(_getting(), _getting(**created)),
        ("Responses", "[1-5][0-9][0-9]"): Case(_getting(), _getting(**created)),
        ("Operation", "deprecated"): Case(_getting(deprecated=True), _getting()),
        ("Operation", "x-sunset"): Case(_getting(**old), _getting(**old | later)),
        ("Operation", "x-deprecation"): Case(_getting(**old), _getting(**old | since)),
        ("Operation", "security"): Case(_getting(security=[]), _getting(), (Request(headers={}),)),
        ("Operation", "x-scope"): Case(_getting(**{"x-scope": "music:admin"}), _getting()),
        ("Operation", "x-idempotency", "handler"): Case(_keyed(**{"x-idempotency": "handler"}), _keyed(), once),
        ("Operation", "x-invalid-request"): Case(
            _getting(**{"x-invalid-request": "NOT_ACCEPTABLE"}), _getting(), (Request(path="/v1/things?a=1"),)
        ),
        ("Operation", "x-unknown-query", "ignored"): Case(
            _getting(**{"x-unknown-query": "ignored"}), _getting(), (Request(path="/v1/things?a=1"),)
        ),
        ("Operation", "x-token-rate-limit"): Case(
            _of_token(**{"x-token-rate-limit": "scarce"}), _of_token(), (opened, opened), settings={"rate_limit": ""}
        ),
        ("Operation", "x-rate-limit"): Case(limited, _getting(), (Request(), Request()), settings={"rate_limit": ""}),
    }


def _of_token(**fields: Any) -> Document:
    """A contract with a quota of one request per token, and an operation with a token in its path."""
    found = document(
        {"/things/{token}": {"get": operation("get_thing", parameters=[parameter("token", "path")], **fields)}}
    )
    found["x-rate-limits"]["scarce"] = {"per": "token", "requests": 1, "seconds": 60}
    return found


def _keyed(**fields: Any) -> Document:
    """A contract with a POST that takes an Idempotency-Key."""
    taken = {"parameters": [parameter("Idempotency-Key", "header")], "requestBody": body({})}
    return document({"/things": {"post": operation("post_thing", **taken, **fields)}})


def _parameters() -> dict[Row, Case]:
    in_path = document({"/things/{a}": {"get": operation("get_thing", parameters=[parameter("a", "path")])}})
    literal = document({"/things/a": {"get": operation("get_thing")}})
    in_query, in_header = _getting(parameter("a")), _getting(parameter("a", "header"))
    asked = (Request(path="/v1/things?a=1"),)
    number = _getting(parameter("a", schema={"type": "integer"}))
    listed, joined = (parameter("a", schema={"type": "array", "items": {}}, explode=flag) for flag in (True, False))
    return {
        ("Parameter", "explode"): Case(_getting(listed), _getting(joined), (Request(path="/v1/things?a=1,2"),)),
        ("Parameter", "name"): Case(in_query, _getting(parameter("b")), asked),
        ("Parameter", "in", "path"): Case(in_path, literal, (Request(path="/v1/things/b"),)),
        ("Parameter", "in", "query"): Case(in_query, in_header, asked),
        ("Parameter", "in", "header"): Case(in_header, in_query, asked),
        ("Parameter", "required"): Case(_getting(parameter("a", required=True)), in_query),
        ("Parameter", "schema"): Case(number, in_query, asked),
    }


def _bodies() -> dict[Row, Case]:
    def taking(media_type: str, *, required: bool = True) -> Document:
        taken = body({}, content={media_type: {"schema": {}}}, required=required)
        return document({"/things": {"post": operation("post_thing", requestBody=taken)}})

    problem = _getting(responses={"200": response({}, content={"application/problem+json": {"schema": {}}})} | errors())
    named, unnamed = (
        _getting(responses={"200": response({}, headers={name: {"schema": {}}})} | errors())
        for name in ("X-Size", "X-Other")
    )
    sized = {"get_thing": returning(WithStatus({}, 200, {"x-size": "1"}))}

    def sizing(header: Any, **components: Any) -> Document:
        answer = {"200": response({}, headers={"X-Size": header})} | errors()
        return document({"/things": {"get": operation("get_thing", responses=answer)}}, **components)

    number, word = {"schema": {"type": "integer"}}, {"schema": {"type": "string", "enum": ["a"]}}
    referring: Any = {"$ref": "#/components/headers/Size"}
    as_json, optional = taking("application/json"), taking("application/json", required=False)
    return {
        ("RequestBody", "required", "true"): Case(as_json, optional, (Request("POST"),)),
        ("RequestBody", "required", "false"): Case(optional, as_json, (Request("POST"),)),
        ("RequestBody", "content", "*"): Case(as_json, taking("text/plain"), (Request("POST", json=1),)),
        ("MediaType", "schema"): Case(_posting({}), _posting({"type": "object"}), (Request("POST", json=[]),)),
        ("Response", "content", "*"): Case(_getting(), problem),
        ("Response", "headers", "*"): Case(named, unnamed, handlers=sized),
        ("Header", "required"): Case(sizing(number | {"required": True}), sizing(number)),
        ("Header", "schema"): Case(sizing(number), sizing(word), handlers=sized),
        ("Components", "headers"): Case(
            sizing(referring, headers={"Size": number}), sizing(referring, headers={"Size": word}), handlers=sized
        ),
    }


def _links() -> dict[Row, Case]:
    def creating(link: dict[str, Any], **components: Any) -> Document:
        thing = response({"type": "object", "required": ["id", "name"], "properties": {"id": {}, "name": {}}})
        made = {"201": thing | {"links": {"made": link}, "headers": {"Location": {"schema": {}}}}} | errors()
        one = operation("get_thing", parameters=[parameter("a", "path")])
        other = operation("find_thing", parameters=[parameter("a", "path")])
        paths = {
            "/things": {"post": operation("post_thing", responses=made)},
            "/things/{a}": {"get": one},
            "/others/{a}": {"get": other},
        }
        return document(paths, **components)

    by_id = {"operationId": "get_thing", "parameters": {"a": "$response.body#/id"}}
    elsewhere, by_name = by_id | {"operationId": "find_thing"}, by_id | {"parameters": {"a": "$response.body#/name"}}
    named = {"$ref": "#/components/links/Made"}
    asked, handlers = (Request("POST"),), {"post_thing": returning(THING)}

    def case(one: Document, other: Document) -> Case:
        return Case(one, other, asked, handlers)

    return {
        ("Link", "operationId"): case(creating(by_id), creating(elsewhere)),
        ("Response", "links"): case(creating(by_id), creating(elsewhere)),
        ("Link", "parameters"): case(creating(by_id), creating(by_name)),
        ("Components", "links"): case(
            creating(named, links={"Made": by_id}), creating(named, links={"Made": elsewhere})
        ),
    }


def _security() -> dict[Row, Case]:
    def scheme(scheme_name: str, /, **fields: str) -> Document:
        found = _getting()
        found["components"]["securitySchemes"][scheme_name] |= fields
        return found

    def bearer(**fields: Any) -> Case:
        """A bearer token suffices where the other contract wants a key in another header."""
        one = _changed(_getting(), "components", "securitySchemes", "BearerAuth", value=fields)
        return Case(one, _getting(security=[{"ApiKeyAuth": []}]), (Request(headers=token),))

    token = {"Authorization": f"Bearer {SECRET}"}
    flows = {"clientCredentials": {"tokenUrl": "https://id.example/token", "scopes": {}}}
    renamed = Case(_getting(), scheme("ApiKeyAuth", name="X-Other"))
    basic = Case(_getting(), scheme("BearerAuth", scheme="basic"))
    in_query, asked = (
        scheme("ApiKeyAuth", **{"in": "query"}),
        Request(path=f"/v1/things?X-API-Key={SECRET}", headers={}),
    )
    alone, other = (_getting(security=[{name: []}]) for name in ("ApiKeyAuth", "BearerAuth"))
    return {
        ("Components", "securitySchemes"): renamed,
        ("SecurityScheme", "type", "apiKey"): renamed,
        ("SecurityScheme", "type", "oauth2"): bearer(type="oauth2", flows=flows),
        ("SecurityScheme", "type", "openIdConnect"): bearer(
            type="openIdConnect", openIdConnectUrl="https://id.example/"
        ),
        ("SecurityScheme", "name"): renamed,
        ("SecurityScheme", "in", "header"): Case(_getting(), in_query),
        ("SecurityScheme", "in", "query"): Case(in_query, _getting(), (asked,)),
        ("SecurityScheme", "type", "http"): basic,
        ("SecurityScheme", "scheme", "bearer"): basic,
        ("SecurityRequirement", "*"): Case(alone, other),
    }
