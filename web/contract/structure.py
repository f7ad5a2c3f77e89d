"""The form of each object, from the JSON Schema of OpenAPI 3.0 that Connexion brings along."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs

from web.contract import objects
from web.contract.nodes import Node

_SECURITY = {
    "apiKey": "APIKeySecurityScheme", "http": "HTTPSecurityScheme", "oauth2": "OAuth2SecurityScheme",
    "openIdConnect": "OpenIdConnectSecurityScheme",
}  # fmt: skip
_FLOWS = {
    "implicit": "ImplicitOAuthFlow", "password": "PasswordOAuthFlow", "clientCredentials": "ClientCredentialsFlow",
    "authorizationCode": "AuthorizationCodeOAuthFlow",
}  # fmt: skip


def violations(node: Node) -> Iterator[tuple[str, str, str]]:
    """Keyword, sentence and pointer of each place in which an object is not of the form that OpenAPI 3.0 gives it.

    What the object holds is left out: it is an object of its own.
    """
    for error in _validator(_definition(node)).iter_errors(node.value):
        pointer = "".join(f"/{objects.escape(str(part))}" for part in error.instance_path)
        yield node.kind, f"{error.message.rstrip('.')}; this is not valid OpenAPI 3.0.", node.pointer + pointer


def _definition(node: Node) -> str:
    if node.kind == "SecurityScheme":
        return _SECURITY.get(str(node.value.get("type")), "SecurityScheme")
    return _FLOWS[node.name] if node.kind == "OAuthFlow" else node.kind


@cache
def _validator(definition: str) -> jsonschema_rs.Draft4Validator:
    """The validator of one object without what is inside the objects, arrays and maps that it holds."""
    kind = "SecurityScheme" if definition in _SECURITY.values() else definition
    kind = "OAuthFlow" if definition in _FLOWS.values() else kind
    schema = dict(_published() if kind == "OpenAPI" else _published()["definitions"][definition])
    for group in ("properties", "patternProperties"):
        fields = schema.get(group, {})
        schema[group] = {name: _shallow(kind, name, field) for name, field in fields.items()}
    if isinstance(schema.get("additionalProperties"), dict) and kind != "SecurityRequirement":
        schema["additionalProperties"] = {"type": "object"}
    schema.pop("oneOf", None)  # SecurityScheme and its http scheme: told by `type`, and by the table
    parts = [part for part in schema.pop("allOf", []) if part["$ref"] != "#/definitions/ParameterLocation"]
    schema |= {"allOf": parts} if parts else {}
    schema["definitions"] = _published()["definitions"]
    return jsonschema_rs.Draft4Validator(schema)


def _shallow(kind: str, field: str, schema: dict[str, Any]) -> dict[str, Any]:
    held = objects.child(kind, "get" if kind == "PathItem" and field.startswith("^(get|") else field)
    if held is None or field == "^x-":
        return schema
    if (kind, field) == ("Schema", "additionalProperties"):
        return {"type": ["object", "boolean"]}
    return {key: value for key, value in schema.items() if key in ("minItems", "minProperties", "maxProperties")} | {
        "type": "array" if held.startswith("[") else "object"
    }


@cache
def _published() -> dict[str, Any]:
    from connexion.spec import OpenAPISpecification

    found: dict[str, Any] = OpenAPISpecification.openapi_schema
    return found
