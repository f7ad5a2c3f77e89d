"""Code samples: one request per operation in ten languages, from the contract's examples and a template per language.

Decisions 52 and 53.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import jinja2

from docsite import client_names, literals, paging
from docsite.operations import Operation
from web.contract.reading import JSON

HOME = Path(__file__).parent / "templates" / "samples"
NO_CONTENT: tuple[str, dict[str, Any]] = ("*/*", {})
KEY_VARIABLE = "MUSIC_STUDIO_API_KEY"
IDEMPOTENCY_KEY = "Idempotency-Key"


class Language(NamedTuple):
    """A language of the samples: its label, its name for syntax highlighters, and its template."""

    label: str
    word: str
    template: str


SDK = "Python SDK"
"""The label of the samples that use the client in Python; those of TypeScript, Go, Rust and Java use theirs."""
LANGUAGES = (
    Language("cURL", "bash", "curl.sh"),
    Language(SDK, "python", "client.py"),
    Language("Python", "python", "requests.py"),
    Language("JavaScript", "javascript", "fetch.mjs"),
    Language("TypeScript", "typescript", "client.mts"),
    Language("Go", "go", "client.go"),
    Language("Java", "java", "client.java"),
    Language("Rust", "rust", "client.rs"),
    Language("PHP", "php", "curl.php"),
    Language("Ruby", "ruby", "net_http.rb"),
)


class PrintedResponse(NamedTuple):
    """The part of the response that a sample prints: the fields in the contract's `x-shown`, or all of it."""

    name: str
    media_type: str
    shown: list[str]
    listed: bool
    """Whether the response is a page of a list, and the fields are those of its items."""
    types: dict[str, str]
    items: str = "items"
    """The field of the page that has the items."""

    @property
    def is_json(self) -> bool:
        return self.media_type == JSON


class Call(NamedTuple):
    """The request as a call of the client: subject, method in snake case, and the required arguments in their order.

    `streams`: the response is bytes. `pages`: it is a list that the client pages.
    """

    resource: str
    method: str
    arguments: list[Any]
    streams: bool
    pages: bool
    required: list[str]
    """The fields that the body must have, in the order of the contract."""
    body_required: bool
    has_options: bool
    """Whether the operation has parameters that may be left out."""


class Request(NamedTuple):
    """The request of a sample: only the required parameters and the body, with the contract's examples."""

    operation: Operation
    url: str
    origin: str
    call: Call
    headers: dict[str, str]
    body: Any
    body_name: str
    response: PrintedResponse
    keyed: bool = False
    """Whether it takes an `Idempotency-Key`: a new one each time the sample runs."""


def request(operation: Operation, origin: str) -> Request:
    """The request of all samples of an operation; `origin` is, for example, `https://music.example`."""
    required = [node for node in operation.parameters if node.get("required")]
    values = {node["name"]: operation.examples(node)[0]["value"] for node in required}
    path = operation.path.format(**{name: quote(_text(values[name]), safe="") for name in operation.path_names})
    query = urlencode({node["name"]: _text(values[node["name"]]) for node in required if node["in"] == "query"})
    return Request(
        operation,
        url=origin + path + (f"?{query}" if query else ""),
        origin=origin,
        call=_call(operation, values),
        headers={node["name"]: _text(values[node["name"]]) for node in required if node["in"] == "header"},
        body=operation.examples(operation.body)[0]["value"] if operation.body else None,
        body_name=_name(operation.body.get("schema", {})) if operation.body else "",
        response=_printed_response(operation),
        keyed=any(node["name"] == IDEMPOTENCY_KEY and not node.get("required") for node in operation.parameters),
    )


def _call(operation: Operation, values: dict[str, Any]) -> Call:
    response = _printed_response(operation)
    return Call(
        client_names.snake(operation.tag),
        client_names.method(operation.id, operation.tag),
        [values[name] for place in ("path", "query", "header") for name in _required(operation, place)],
        streams=not response.is_json and not response.media_type.startswith("text/"),
        pages=bool(paging.field_of(operation)),
        body_required=bool(operation.request_body.get("required")),
        has_options=not all(node.get("required") for node in operation.parameters),
        required=_required_fields(operation.follow((operation.body or {}).get("schema", {}))),
    )


def _required_fields(schema: dict[str, Any]) -> list[str]:
    """The required fields of an object, in the order of its properties."""
    required: list[str] = schema.get("required", [])
    return [name for name in schema.get("properties", required) if name in required]


def _required(operation: Operation, place: str) -> list[str]:
    """Names of the required parameters, those of a path in the order of the path."""
    names = [node["name"] for node in operation.parameters_in(place) if node.get("required")]
    return operation.path_names if place == "path" else names


def _text(value: Any) -> str:
    """The value of a parameter as a request has it."""
    return value if isinstance(value, str) else json.dumps(value)


def write(operation: Operation, language: Language, origin: str) -> str:
    """One sample, without a trailing line break."""
    return _template(language.template).render(request=request(operation, origin), operation=operation).strip()


def code_samples(operation: Operation, origin: str) -> list[dict[str, str]]:
    """The samples as the value of the extension `x-codeSamples`."""
    return [
        {"lang": language.word, "label": language.label, "source": write(operation, language, origin)}
        for language in LANGUAGES
    ]


def _printed_response(operation: Operation) -> PrintedResponse:
    content = operation.by_status[operation.success].get("content", {})
    media_type, media = next(iter(content.items()), NO_CONTENT)
    schema = operation.follow(media.get("schema", {}))
    wanted, own = schema.get("x-shown", []), _properties(operation, schema)
    # A response that shows fields of its own is no page, although it may have a list.
    field, items = ("", {}) if own.keys() & set(wanted) else _items(operation, schema)
    properties = _properties(operation, items) or own
    shown = [name for name in wanted if name in properties]
    types = {name: _type(operation.follow(properties[name])) for name in shown}
    name = _name(media.get("schema", {})) or "Answer"
    return PrintedResponse(name, media_type, shown, bool(items and shown), types, field)


def _items(operation: Operation, schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and item schema of the first field that lists objects; empty if the schema has none."""
    for name, field in _properties(operation, schema).items():
        items: dict[str, Any] = operation.follow(operation.follow(field).get("items")) or {}
        if "properties" in items:
            return name, items
    return "", {}


def _properties(operation: Operation, schema: dict[str, Any]) -> dict[str, Any]:
    followed: dict[str, Any] = operation.follow(schema)
    found: dict[str, Any] = followed.get("properties", {})
    return found


def _name(schema: dict[str, Any]) -> str:
    """The name of a component, or nothing for a schema without a name."""
    name: str = schema.get("$ref", "").rpartition("/")[2]
    return name


def _type(schema: dict[str, Any]) -> str:
    """The TypeScript type of a scalar."""
    name = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean"}.get(
        schema.get("type", ""), "unknown"
    )
    return f"{name} | null" if schema.get("nullable") else name


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HOME),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - the samples are programs; pages that show them escape
    )
    environment.globals |= {"key": KEY_VARIABLE, "idempotency_key": IDEMPOTENCY_KEY}
    environment.filters |= {
        "camel": client_names.camel,
        "pascal": client_names.pascal,
        "snake": client_names.snake,
        "shell": lambda text: text.replace("'", "'\\''"),
        "literal": literal,
        "go_text": lambda text: json.dumps(text, ensure_ascii=False) if "`" in text else f"`{text}`",
        "go_value": literals.go_value,
        "go_any": literals.go_any,
        "rust_value": literals.rust_value,
        "java_block": lambda text: text.replace("\\", "\\\\").replace('"""', '\\"""'),
        "java_value": literals.java_value,
    }
    return environment.get_template(f"{name}.jinja")


def literal(value: Any, syntax: str, margin: str = "") -> str:
    """The value in the syntax `syntax` of `literals`; further lines begin with `margin`."""
    return literals.write(value, getattr(literals, syntax.upper()), margin)
