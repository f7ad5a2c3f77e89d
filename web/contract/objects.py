"""The objects of OpenAPI 3.0.3: which object each fixed field holds, and which objects a reference may stand for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")

# `[Server]` is an array of Server Objects, `{Schema}` a map of Schema Objects, `*` any field that is not listed.
# A field without an entry holds plain data: a `$ref` in it, as in an example of a contract, is no reference.
FIELDS: dict[str, dict[str, str]] = {
    "OpenAPI": {
        "info": "Info", "servers": "[Server]", "paths": "Paths", "components": "Components",
        "security": "[SecurityRequirement]", "tags": "[Tag]", "externalDocs": "ExternalDocumentation",
    },
    "Info": {"contact": "Contact", "license": "License"},
    "Contact": {},
    "License": {},
    "Server": {"variables": "{ServerVariable}"},
    "ServerVariable": {},
    "Components": {
        "schemas": "{Schema}", "responses": "{Response}", "parameters": "{Parameter}", "examples": "{Example}",
        "requestBodies": "{RequestBody}", "headers": "{Header}", "securitySchemes": "{SecurityScheme}",
        "links": "{Link}", "callbacks": "{Callback}",
    },
    "Paths": {"*": "PathItem"},
    "PathItem": {"servers": "[Server]", "parameters": "[Parameter]"} | dict.fromkeys(METHODS, "Operation"),
    "Operation": {
        "externalDocs": "ExternalDocumentation", "parameters": "[Parameter]", "requestBody": "RequestBody",
        "responses": "Responses", "callbacks": "{Callback}", "security": "[SecurityRequirement]",
        "servers": "[Server]",
    },
    "ExternalDocumentation": {},
    "Parameter": {"schema": "Schema", "content": "{MediaType}", "examples": "{Example}"},
    "RequestBody": {"content": "{MediaType}"},
    "MediaType": {"schema": "Schema", "examples": "{Example}", "encoding": "{Encoding}"},
    "Encoding": {"headers": "{Header}"},
    "Responses": {"*": "Response"},
    "Response": {"headers": "{Header}", "content": "{MediaType}", "links": "{Link}"},
    "Callback": {"*": "PathItem"},
    "Example": {},
    "Link": {"server": "Server"},
    "Header": {"schema": "Schema", "content": "{MediaType}", "examples": "{Example}"},
    "Tag": {"externalDocs": "ExternalDocumentation"},
    "Schema": {
        "not": "Schema", "allOf": "[Schema]", "oneOf": "[Schema]", "anyOf": "[Schema]", "items": "Schema",
        "properties": "{Schema}", "additionalProperties": "Schema", "discriminator": "Discriminator",
        "externalDocs": "ExternalDocumentation", "xml": "XML",
    },
    "Discriminator": {},
    "XML": {},
    "SecurityScheme": {"flows": "OAuthFlows"},
    "OAuthFlows": {
        "implicit": "OAuthFlow", "password": "OAuthFlow", "clientCredentials": "OAuthFlow",
        "authorizationCode": "OAuthFlow",
    },
    "OAuthFlow": {},
    "SecurityRequirement": {},
}  # fmt: skip

# Objects that a Reference Object may replace, with their section of the Components Object; a path item has none.
SECTIONS = {kind.strip("{}"): section for section, kind in FIELDS["Components"].items()}
REFERABLE = {*SECTIONS, "PathItem"}


def child(kind: str, field: str) -> str | None:
    """What a field of an object holds: an object, `[object]`, `{object}`, or None for plain data."""
    fields = FIELDS[kind]
    return None if field.startswith("x-") else fields.get(field, fields.get("*"))


def members(kind: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    """Key, kind and value of everything directly inside an object, array or map; plain data has nothing inside."""
    if kind.startswith("[") and isinstance(value, list):
        yield from ((str(index), kind[1:-1], item) for index, item in enumerate(value))
    elif kind.startswith("{") and isinstance(value, dict):
        yield from ((key, kind[1:-1], item) for key, item in value.items())
    elif kind in FIELDS and isinstance(value, dict):
        for field, item in value.items():
            held = child(kind, field)
            if held is not None:
                yield field, held, item


def is_reference(kind: str, value: Any) -> bool:
    """Whether a value is a Reference Object where an object of this kind is due."""
    return kind in REFERABLE and isinstance(value, dict) and isinstance(value.get("$ref"), str)


def escape(key: str) -> str:
    """A key as part of a JSON Pointer (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def unescape(part: str) -> str:
    """The key in a part of a JSON Pointer."""
    return part.replace("~1", "/").replace("~0", "~")
