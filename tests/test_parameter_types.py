"""Parameters of every type: arrays, numbers, enums and referenced schemas in the query, in headers and in the path."""

from collections.abc import Iterator
from typing import Any

import pytest

from tools.testing.served_contract import TEXT, Handlers, ServedContract, operation, response, served
from tools.testing.service import violations

NUMBER, INTEGER, BOOLEAN = {"type": "number"}, {"type": "integer", "minimum": 1}, {"type": "boolean"}
COLOUR = {"type": "string", "enum": ["red", "blue"]}
SCHEMAS = {"Colour": COLOUR, "Page": INTEGER}
IN_QUERY: dict[str, dict[str, Any]] = {
    "ids": {"schema": {"type": "array", "items": TEXT, "maxItems": 3}},
    "words": {"schema": {"type": "array", "items": TEXT}, "explode": False},
    "pages": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Page"}}},
    "ratio": {"schema": NUMBER | {"maximum": 10}},
    "colour": {"schema": {"$ref": "#/components/schemas/Colour"}},
    "page": {"schema": {"allOf": [{"$ref": "#/components/schemas/Page"}], "default": 1}},
    "flag": {"schema": BOOLEAN},
    "rank": {"schema": {"enum": [1, 2]}},
    "either": {"schema": {"oneOf": [{"type": "integer"}, {"type": "string", "enum": ["all"]}]}},
}
IN_HEADERS: dict[str, dict[str, Any]] = {
    "X-Numbers": {"schema": {"type": "array", "items": {"type": "integer"}}},
    "X-Ratio": {"schema": NUMBER},
    "X-Word": {"schema": TEXT},
}


def query(
    ids: Any, words: Any, pages: Any, ratio: Any, colour: Any, page: Any, flag: Any, either: Any, rank: Any
) -> dict[str, Any]:
    return {
        "ids": ids, "words": words, "pages": pages, "ratio": ratio, "colour": colour, "page": page, "flag": flag,
        "either": either, "rank": rank,
    }  # fmt: skip


def headers(x_numbers: Any, x_ratio: Any, x_word: Any) -> Any:
    return [x_numbers, x_ratio, x_word]


def typed(page: Any, colour: Any) -> Any:
    return [page, colour]


def alternatives(colour: Any, word: Any) -> Any:
    return [colour, word]


@pytest.fixture(scope="module")
def service() -> Iterator[ServedContract]:
    in_path = [{"name": "page", "schema": INTEGER}, {"name": "colour", "schema": COLOUR}]
    referring, pattern = {"allOf": [{"$ref": "#/components/schemas/Colour"}]}, TEXT | {"pattern": "^a+$"}
    with_alternatives = [{"name": "colour", "schema": referring}, {"name": "word", "schema": pattern}]
    parameters = {
        "query": [{"name": name, "in": "query", **node} for name, node in IN_QUERY.items()],
        "headers": [{"name": name, "in": "header", **node} for name, node in IN_HEADERS.items()],
        "typed": [node | {"in": "path", "required": True} for node in in_path],
        "alternatives": [node | {"in": "path", "required": True} for node in with_alternatives],
    }
    paths = {"query": "/query", "headers": "/headers", "typed": "/typed/{page}/{colour}"}
    paths["alternatives"] = "/alternatives/{colour}/{word}"
    documented = {
        path: {"get": operation(name, {"200": response({})}, parameters=parameters[name])}
        for name, path in paths.items()
    }
    handlers: Handlers = {"query": query, "headers": headers, "typed": typed, "alternatives": alternatives}
    with served(documented, handlers, schemas=SCHEMAS) as running:
        yield running


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ("", {"page": 1}),
        ("ids=a", {"ids": ["a"]}),
        ("ids=a&ids=b", {"ids": ["a", "b"]}),
        ("ids=a,b&ids=c", {"ids": ["a,b", "c"]}),
        ("ids=", {"ids": [""]}),
        ("words=a,b%2Cc", {"words": ["a", "b,c"]}),
        ("words=a&words=b,c", {"words": ["a", "b", "c"]}),
        ("pages=1&pages=20", {"pages": [1, 20]}),
        ("ratio=1.5", {"ratio": 1.5}),
        ("ratio=-2e-3", {"ratio": -0.002}),
        ("ratio=7", {"ratio": 7}),
        ("colour=red", {"colour": "red"}),
        ("page=3", {"page": 3}),
        ("flag=true", {"flag": True}),
        ("either=5", {"either": 5}),
        ("rank=2", {"rank": 2}),
        ("either=all", {"either": "all"}),
    ],
)
def test_query_is_converted_to_its_types(service: ServedContract, sent: str, received: dict[str, Any]) -> None:
    found = service.client.get(f"/query?{sent}").json()
    assert {name: value for name, value in found.items() if value is not None} == {"page": 1} | received


@pytest.mark.parametrize(
    ("sent", "broken"),
    [
        ("ids=a&ids=b&ids=c&ids=d", {("query/ids", "maxItems")}),
        ("pages=1&pages=x", {("query/pages", "type")}),
        ("pages=1&pages=0", {("query/pages/1", "minimum")}),
        ("ratio=1e999", {("query/ratio", "type")}),
        ("ratio=NaN", {("query/ratio", "type")}),
        ("ratio=.5", {("query/ratio", "type")}),
        ("ratio=11", {("query/ratio", "maximum")}),
        ("colour=green", {("query/colour", "enum")}),
        ("colour=red&colour=red", {("query/colour", "maxItems")}),
        ("page=0", {("query/page", "minimum")}),
        ("page=x&flag=yes", {("query/page", "type"), ("query/flag", "type")}),
        ("rank=3", {("query/rank", "enum")}),
        ("either=some", {("query/either", "oneOf")}),
        ("unknown=1", {("query/unknown", "additionalProperties")}),
    ],
)
def test_query_that_breaks_its_schema_is_422(service: ServedContract, sent: str, broken: set[tuple[str, str]]) -> None:
    assert violations(service.client.get(f"/query?{sent}")) == broken


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ([("X-Numbers", "1,2")], [[1, 2], None, None]),
        ([("X-Numbers", "1, 2"), ("X-Numbers", "3")], [[1, 2, 3], None, None]),
        ([("X-Ratio", "0.5"), ("X-Word", "a,b")], [None, 0.5, "a,b"]),
    ],
)
def test_header_is_converted_to_its_type(
    service: ServedContract, sent: list[tuple[str, str]], received: list[Any]
) -> None:
    assert service.client.get("/headers", headers=sent).json() == received


@pytest.mark.parametrize(
    ("sent", "broken"),
    [
        ([("X-Numbers", "1,x")], {("header/X-Numbers", "type")}),
        ([("X-Word", "a"), ("X-Word", "a")], {("header/X-Word", "maxItems")}),
    ],
)
def test_header_that_breaks_its_schema_is_422(
    service: ServedContract, sent: list[tuple[str, str]], broken: set[tuple[str, str]]
) -> None:
    assert violations(service.client.get("/headers", headers=sent)) == broken


def test_path_value_of_another_type_identifies_nothing(service: ServedContract) -> None:
    assert service.client.get("/typed/7/red").json() == [7, "red"]
    for path, details in (("0/red", {"page": "0"}), ("x/red", {"page": "x"}), ("7/green", {"colour": "green"})):
        found = service.client.get(f"/typed/{path}")
        assert found.status_code == 404
        assert (found.json()["error"]["code"], found.json()["error"]["details"]) == ("RESOURCE_NOT_FOUND", details)


def test_text_in_a_path_is_checked_for_its_alternatives_and_else_looked_up(service: ServedContract) -> None:
    assert service.client.get("/alternatives/red/b").json() == ["red", "b"]
    assert service.client.get("/alternatives/green/a").status_code == 404
