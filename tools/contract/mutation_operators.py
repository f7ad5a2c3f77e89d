"""Mutation operators of the contract, each applied at a few places, the same ones every time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from web.contract import document as contract

PER_OPERATOR = 1
Node = dict[str, Any]
Spot = tuple[str, Node]
Change = Callable[[Node], Any]


@dataclass(frozen=True, eq=False)
class Mutant:
    """The contract with one change, and its description."""

    operator: str
    place: str
    document: Node

    @property
    def title(self) -> str:
        return f"{self.operator}: {self.place}"


def mutants(document: Node, per_operator: int = PER_OPERATOR) -> Iterator[Mutant]:
    """The mutants: for each operator a few places, spread evenly over all places where it applies."""
    for operator, (spots, change) in OPERATORS.items():
        places = [place for place, node in spots(document) if _differs(node, change)]
        for place in _spread(places, per_operator):
            mutated = copy.deepcopy(document)
            change(dict(spots(mutated))[place])
            yield Mutant(operator, place, mutated)


def _differs(node: Node, change: Change) -> bool:
    """Whether an operator changes this node."""
    changed = copy.deepcopy(node)
    change(changed)
    return changed != node


def _spread(places: list[str], limit: int) -> list[str]:
    step = max(1, len(places) / limit)
    return [places[int((number + 0.5) * step)] for number in range(min(limit, len(places)))]


def _below(node: Any, at: str = "") -> Iterator[Spot]:
    """All objects below a node, with their pointers; values of examples are skipped."""
    if isinstance(node, dict):
        yield at, node
        for key, child in node.items():
            if key not in {"example", "examples", "default", "enum", "x-errors"} or at == "/components":
                yield from _below(child, f"{at}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from _below(child, f"{at}/{number}")


def _having(key: str, value: Any = None, within: str = "") -> Callable[[Node], Iterator[Spot]]:
    """The objects with that key, and with that value if it is given."""

    def spots(document: Node) -> Iterator[Spot]:
        for at, node in _below(document):
            if within in at and key in node and not isinstance(node[key], dict) and value in (None, node[key]):
                yield at, node

    return spots


def _operations(**wanted: bool) -> Callable[[Node], Iterator[Spot]]:
    """The operations; with `public`, only the public or only the secured ones."""

    def spots(document: Node) -> Iterator[Spot]:
        for path, item in document["paths"].items():
            for method in contract.METHODS:
                if method in item and wanted.get("public", _public(item[method])) == _public(item[method]):
                    yield f"{method.upper()} {path}", item[method]

    return spots


def _public(node: Node) -> bool:
    return node.get("security") == []


def _each(key: str) -> Callable[[Node], Iterator[Spot]]:
    """The entries of every object under that key, each as {"of": the object, "name": the entry's key}."""

    def spots(document: Node) -> Iterator[Spot]:
        for at, node in _below(document):
            if isinstance(node.get(key), dict) and not at.startswith("/components/schemas/ErrorCode"):
                for name in node[key]:
                    yield f"{at}/{key}/{name}", {"of": node[key], "name": name}

    return spots


def _members(key: str) -> Callable[[Node], Iterator[Spot]]:
    """The items of every list under that key."""

    def spots(document: Node) -> Iterator[Spot]:
        for at, node in _below(document):
            if isinstance(node.get(key), list):
                for member in node[key]:
                    yield f"{at}/{key}/{member}", {"of": node[key], "name": member}

    return spots


def _root(document: Node) -> Iterator[Spot]:
    yield "the document", document


def _codes(document: Node) -> Iterator[Spot]:
    yield from document["components"]["schemas"]["ErrorCode"]["x-errors"].items()


def _error_examples(document: Node) -> Iterator[Spot]:
    """The errors in examples."""
    for name, node in document["components"]["examples"].items():
        if "error" in node["value"]:
            yield name, node["value"]["error"]


def _body_examples(document: Node) -> Iterator[Spot]:
    """The example bodies of requests and success responses."""
    for at, node in _below(document["paths"]):
        if isinstance(node.get("example"), dict):
            yield at, node["example"]


def _parameters(document: Node) -> Iterator[Spot]:
    yield from document["components"]["parameters"].items()


def _links(document: Node) -> Iterator[Spot]:
    for at, node in _below(document["paths"]):
        for name, link in node.get("links", {}).items():
            yield f"{at}/links/{name}", link


def _drop(node: Node) -> None:
    """Removes an entry of `_each` or `_members`."""
    if isinstance(node["of"], list):
        node["of"].remove(node["name"])
    else:
        del node["of"][node["name"]]


def _change(key: str, new: Callable[[Any], Any]) -> Change:
    def change(node: Node) -> None:
        node[key] = new(node[key])

    return change


def _set(**values: Any) -> Change:
    return lambda node: node.update(values)


def _pop(key: str) -> Change:
    return lambda node: node.pop(key)


def _other_scope(scope: str) -> str:
    return "music:read" if scope == "music:write" else "music:write"


def _other_place(node: Node) -> None:
    name = next(iter(node["parameters"]))
    node["parameters"][name] = "$response.body#/nowhere"


def _other_response(node: Node) -> None:
    """Swaps the first two error responses that are references."""
    first, second = [status for status, response in node["responses"].items() if "$ref" in response][:2]
    node["responses"][first], node["responses"][second] = node["responses"][second], node["responses"][first]


def _moved_success(node: Node) -> None:
    status = min(node["responses"])
    node["responses"]["202"] = node["responses"].pop(status)


def _first_value_changed(node: Node) -> None:
    name = next(name for name, value in node.items() if isinstance(value, (str, bool, list)))
    node[name] = 17


OPERATORS: dict[str, tuple[Callable[[Node], Iterator[Spot]], Change]] = {
    "a required field is optional": (_members("required"), _drop),
    "a maxLength is doubled": (_having("maxLength"), _change("maxLength", lambda n: 2 * n)),
    "a maxLength is halved": (_having("maxLength"), _change("maxLength", lambda n: n // 2)),
    "a minLength is dropped": (_having("minLength"), _pop("minLength")),
    "a maximum is raised": (_having("maximum"), _change("maximum", lambda n: n + 1)),
    "a maximum is lowered": (_having("maximum"), _change("maximum", lambda n: n - 1)),
    "a minimum is lowered": (_having("minimum"), _change("minimum", lambda n: n - 1)),
    "a minimum is raised": (_having("minimum"), _change("minimum", lambda n: n + 1)),
    "a maxItems is raised": (_having("maxItems"), _change("maxItems", lambda n: n + 1)),
    "a maxItems is lowered": (_having("maxItems"), _change("maxItems", lambda n: n // 2)),
    "uniqueItems is dropped": (_having("uniqueItems"), _pop("uniqueItems")),
    "a pattern allows anything": (_having("pattern"), _set(pattern="^.*$")),
    "a pattern allows capitals": (
        _having("pattern"),
        _change("pattern", lambda p: p.replace("[0-9a-f]", "[0-9A-Fa-f]")),
    ),
    "a format is dropped": (_having("format"), _pop("format")),
    "nullable is dropped": (_having("nullable", True), _pop("nullable")),
    "nullable is added": (_having("type", "string", "/properties/"), _set(nullable=True)),
    "a type is another": (_having("type", "integer"), _set(type="string")),
    "an object is opened": (_having("additionalProperties", False), _set(additionalProperties=True)),
    "a default is changed": (_having("default"), _change("default", lambda n: n + 1)),
    "a default is dropped": (_having("default"), _pop("default")),
    "an enum loses a value": (_members("enum"), _drop),
    "an enum gains a value": (_having("enum"), _change("enum", lambda values: [*values, "another"])),
    "a property is dropped": (_each("properties"), _drop),
    "a header is undeclared": (_each("headers"), _drop),
    "a header does not always come": (_having("required", True, "/headers/"), _pop("required")),
    "a status is undeclared": (_each("responses"), _drop),
    "a success has another status": (_operations(), _moved_success),
    "two errors are swapped": (_operations(), _other_response),
    "a secured operation is public": (_operations(public=False), _set(security=[])),
    "a public operation is secured": (_operations(public=True), _pop("security")),
    "an operation forgets tokens": (_operations(public=False), _set(security=[{"ApiKeyAuth": []}])),
    "all operations are public": (_root, _set(security=[])),
    "a scope is swapped": (_operations(public=False), _change("x-scope", _other_scope)),
    "an operationId is another": (_operations(), _change("operationId", lambda name: name + "_now")),
    "a tag is another": (_operations(public=False), _set(tags=["service"])),
    "a related operation is dropped": (_having("x-related"), _change("x-related", lambda names: names[1:])),
    "a parameter is renamed": (_parameters, _change("name", lambda name: name + "_2")),
    "a parameter is in the query": (_parameters, _set(**{"in": "query"})),
    "a header is required": (_having("in", "header"), _set(required=True)),
    "a parameter is dropped": (_operations(public=False), lambda node: node.get("parameters", [0]).pop()),
    "a body is optional": (_having("required", True, "/requestBody"), _set(required=False)),
    "a media type is another": (_each("content"), lambda e: e["of"].update({"text/json": e["of"].pop(e["name"])})),
    "a link leads elsewhere": (_links, _set(operationId="get_liveness")),
    "a link is named wrongly": (_links, _set(operationId="list_collection_tracks")),
    "a link takes its value from nowhere": (_links, _other_place),
    "a code has another status": (_codes, _change("status", lambda n: n + 1)),
    "a code has another type": (
        _codes,
        _change("type", lambda t: "client_error" if t != "client_error" else "server_error"),
    ),
    "a code has another message": (_codes, _change("message", lambda text: text + " Sorry.")),
    "an example has another code": (_error_examples, _set(code="COLLECTION_FULL")),
    "an example says something else": (_error_examples, _change("system_message", lambda text: text + "!")),
    "an example breaks its schema": (_body_examples, _first_value_changed),
    "a description is dropped": (_having("description"), _pop("description")),
    "the server is another": (_root, _set(servers=[{"url": "/v2"}])),
}
