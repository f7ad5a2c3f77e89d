"""Changes of the contract that are known to break clients or not: the test data of `make breaking`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
Change = Callable[[Document], Any]

LIST = "/music/{organization_id}/collections"
ONE = LIST + "/{collection_id}"
TRACKS = ONE + "/tracks"
LIVE = "/health/live"


def _operation(path: str, method: str) -> Callable[[Document], Any]:
    return lambda document: document["paths"][path][method]


def _schema(name: str, *below: str) -> Callable[[Document], Any]:
    return _component("schemas", name, *below)


def _component(section: str, name: str, *below: str) -> Callable[[Document], Any]:
    def find(document: Document) -> Any:
        node = document["components"][section][name]
        for step in below:
            node = node[step]
        return node

    return find


def _set(find: Callable[[Document], Any], **values: Any) -> Change:
    return lambda document: find(document).update(values)


def _drop(find: Callable[[Document], Any], key: str) -> Change:
    return lambda document: find(document).pop(key)


def _without(find: Callable[[Document], Any], key: str, value: Any) -> Change:
    return lambda document: find(document)[key].remove(value)


def _with(find: Callable[[Document], Any], key: str, value: Any) -> Change:
    return lambda document: find(document).setdefault(key, []).append(value)


def _renamed_field(document: Document) -> None:
    schema = document["components"]["schemas"]["Collection"]
    schema["properties"]["title"] = schema["properties"].pop("name")
    schema["required"] = ["title" if name == "name" else name for name in schema["required"]]


def _renamed_path_parameter(document: Document) -> None:
    document["components"]["parameters"]["TrackIdPath"]["name"] = "track"
    paths = document["paths"]
    paths[TRACKS + "/{track}"] = paths.pop(TRACKS + "/{track_id}")


def _renamed_schema(document: Document) -> None:
    schemas = document["components"]["schemas"]
    schemas["Confirmation"] = schemas.pop("Acknowledgement")
    _redirect(document, "#/components/schemas/Acknowledgement", "#/components/schemas/Confirmation")


def _redirect(node: Any, old: str, new: str) -> None:
    if isinstance(node, dict):
        if node.get("$ref") == old:
            node["$ref"] = new
        for child in node.values():
            _redirect(child, old, new)
    elif isinstance(node, list):
        for child in node:
            _redirect(child, old, new)


def _another_success(document: Document) -> None:
    responses = document["paths"][LIST]["post"]["responses"]
    responses["200"] = responses.pop("201")


def _moved(document: Document) -> None:
    document["paths"]["/library/{organization_id}/collections"] = document["paths"].pop(LIST)


def _another_method(document: Document) -> None:
    item = document["paths"][ONE + "/order"]
    item["put"] = item.pop("patch")


def _only_keys(document: Document) -> None:
    document["security"] = [{"ApiKeyAuth": []}]


def _another_media_type(document: Document) -> None:
    content = document["paths"][ONE]["patch"]["requestBody"]["content"]
    content["application/merge-patch+json"] = content.pop("application/json")


def _another_response_media_type(document: Document) -> None:
    content = document["paths"][LIST]["get"]["responses"]["200"]["content"]
    content["application/hal+json"] = content.pop("application/json")


def _another_status(document: Document) -> None:
    document["components"]["schemas"]["ErrorCode"]["x-errors"]["COLLECTION_FULL"]["status"] = 422


def _removed_code(document: Document) -> None:
    codes = document["components"]["schemas"]["ErrorCode"]
    codes["enum"].remove("COLLECTION_FULL")
    del codes["x-errors"]["COLLECTION_FULL"]


COLLECTION = _schema("Collection")
NEW = _schema("CollectionCreate")
PATCH = _schema("CollectionPatch")
CODES = _schema("ErrorCode")

BREAKING: dict[str, Change] = {
    "an operation is removed": _drop(lambda d: d["paths"][ONE], "delete"),
    "a path is removed": _drop(lambda d: d["paths"], ONE + "/order"),
    "a path moves": _moved,
    "an operation gets another method": _another_method,
    "an operationId changes": _set(_operation(LIST, "get"), operationId="find_collections"),
    "a tag changes": _set(_operation(LIST, "get"), tags=["service"]),
    "a public operation becomes private": _drop(_operation(LIVE, "get"), "security"),
    "an operation no longer takes tokens": _set(_operation(LIST, "get"), security=[{"ApiKeyAuth": []}]),
    "no operation takes tokens any more": _only_keys,
    "an operation asks for another scope": _set(_operation(LIST, "get"), **{"x-scope": "music:write"}),
    "the header of the key changes": _set(_component("securitySchemes", "ApiKeyAuth"), name="X-Key"),
    "the server's address changes": lambda d: d.update(servers=[{"url": "/v2"}]),
    "a parameter is removed": lambda d: d["paths"][LIST]["get"]["parameters"].pop(1),
    "a parameter becomes required": _set(_component("parameters", "IdempotencyKey"), required=True),
    "a required parameter is added": _with(
        _operation(LIST, "get"),
        "parameters",
        {"name": "sort", "in": "query", "required": True, "schema": {"type": "string"}},
    ),
    "a path parameter is renamed": _renamed_path_parameter,
    "a parameter's maximum falls": _set(_component("parameters", "CollectionLimit", "schema"), maximum=50),
    "a parameter's minimum rises": _set(_component("parameters", "CollectionLimit", "schema"), minimum=5),
    "a parameter's default changes": _set(_component("parameters", "CollectionLimit", "schema"), default=20),
    "a parameter's default goes": _drop(_component("parameters", "Offset", "schema"), "default"),
    "a parameter's pattern changes": _set(_component("parameters", "IfMatch", "schema"), pattern='^"[0-9]+"$'),
    "a parameter's type changes": _set(_component("parameters", "Offset", "schema"), type="string"),
    "a body's field becomes required": _with(NEW, "required", "description"),
    "a body's field is removed": _drop(_schema("CollectionCreate", "properties"), "cover_image_url"),
    "a body's field may not be null any more": _set(
        _schema("CollectionPatch", "properties", "description"), nullable=False
    ),
    "a body's field gets shorter": _set(_schema("CollectionCreate", "properties", "description"), maxLength=100),
    "a body's field gets a default": _set(_schema("CollectionCreate", "properties", "description"), default="None yet"),
    "a body's field gets another type": _set(_schema("CollectionCreate", "properties", "description"), type="integer"),
    "a body takes fewer items": _set(_schema("CollectionOrder", "properties", "ordered_track_ids"), maxItems=100),
    "a body needs an item": _set(_schema("CollectionOrder", "properties", "ordered_track_ids"), minItems=1),
    "a body needs another media type": _another_media_type,
    "a field of a response is removed": _drop(_schema("Collection", "properties"), "track_count"),
    "a field of a response is renamed": _renamed_field,
    "a field of a response may be missing": _without(COLLECTION, "required", "track_count"),
    "a field of a response may be null": _set(_schema("CollectionTrack", "properties", "position"), nullable=True),
    "a field of a response gets another type": _set(_schema("Collection", "properties", "track_count"), type="string"),
    "a field of a response gets longer": _set(_schema("Collection", "properties", "description"), maxLength=9000),
    "a field of a response gets another format": _set(_schema("Timestamp"), format="date"),
    "an id of a response looks different": _set(_schema("CollectionId"), pattern="^mc_[0-9a-f]{12}$"),
    "a response may hold unknown fields": _set(COLLECTION, additionalProperties=True),
    "a response gets another status": _another_success,
    "an error's status is not documented any more": _drop(lambda d: d["paths"][ONE]["get"]["responses"], "404"),
    "an error code is removed": _removed_code,
    "an error code gets another status": _another_status,
    "a header of a response is removed": _drop(
        lambda d: d["paths"][LIST]["post"]["responses"]["201"]["headers"], "Location"
    ),
    "a header becomes optional": _set(_component("headers", "X-Request-ID"), required=False),
    "a header gets another form": _set(_component("headers", "Retry-After", "schema"), type="string"),
    "a schema is renamed": _renamed_schema,
    "a response gets another media type": _another_response_media_type,
    "a response holds longer lists": _set(_schema("CollectionPage", "properties", "items"), maxItems=1000),
    "Location leads elsewhere": _drop(
        lambda d: d["paths"][LIST]["post"]["responses"]["201"]["links"], "get_collection"
    ),
    "a response gets another enum value": _with(_schema("Health", "properties", "status"), "enum", "degraded"),
}


def _new_operation(document: Document) -> None:
    added = copy.deepcopy(document["paths"][LIVE]["get"])
    added["operationId"] = "get_version"
    document["paths"]["/version"] = {"get": added}


def _optional_parameter(document: Document) -> None:
    document["paths"][LIST]["get"]["parameters"].append(
        {"name": "sort", "in": "query", "description": "The order.", "schema": {"type": "string", "default": "newest"}}
    )


def _new_field(document: Document) -> None:
    schema = document["components"]["schemas"]["Collection"]
    schema["properties"]["colour"] = {"type": "string"}
    schema["required"].append("colour")


def _new_status(document: Document) -> None:
    document["paths"][LIST]["get"]["responses"]["410"] = {"$ref": "#/components/responses/EndpointNotFound"}


def _written_defaults(document: Document) -> None:
    components = document["components"]
    components["parameters"]["Offset"] |= {"explode": True, "style": "form", "required": False, "deprecated": False}
    components["parameters"]["IfMatch"] |= {"explode": False, "style": "simple"}
    components["headers"]["ETag"] |= {"explode": False, "style": "simple"}
    components["schemas"]["CollectionName"] |= {"nullable": False, "readOnly": False, "writeOnly": False}
    components["schemas"]["CollectionOrder"]["properties"]["ordered_track_ids"]["minItems"] = 0


HARMLESS: dict[str, tuple[Change, str]] = {
    "an operation is added": (_new_operation, "minor"),
    "an optional parameter is added": (_optional_parameter, "minor"),
    "a body's field is added": (
        _set(_schema("CollectionCreate", "properties"), colour={"type": "string", "nullable": True}),
        "minor",
    ),
    "a field of a response is added": (
        _new_field,
        "minor",
    ),
    "a parameter's maximum rises": (_set(_component("parameters", "CollectionLimit", "schema"), maximum=200), "minor"),
    "a body's field gets longer": (
        _set(_schema("CollectionCreate", "properties", "description"), maxLength=9000),
        "minor",
    ),
    "a body's field gets any pattern": (
        _drop(_schema("CollectionCreate", "properties", "description"), "pattern"),
        "minor",
    ),
    "a body takes a second media type": (
        lambda d: d["paths"][LIST]["post"]["requestBody"]["content"].update(
            {"application/yaml": {"schema": {"$ref": "#/components/schemas/CollectionCreate"}}}
        ),
        "minor",
    ),
    "a body's field is not required any more": (_without(NEW, "required", "name"), "minor"),
    "an operation becomes public": (_set(_operation(LIST, "get"), security=[]), "minor"),
    "another credential suffices": (lambda d: d["security"].append({"ApiKeyAuth": [], "BearerAuth": []}), "minor"),
    "an operation is deprecated": (_set(_operation(LIST, "get"), deprecated=True), "minor"),
    "a status is added": (
        _new_status,
        "minor",
    ),
    "a header is added to a response": (
        lambda d: d["paths"][LIST]["get"]["responses"]["200"]["headers"].update(
            Age={"description": "Seconds.", "schema": {"type": "integer"}}
        ),
        "minor",
    ),
    "an error code is added": (_with(CODES, "enum", "TEAPOT"), "minor"),
    "a default is written out": (_written_defaults, "none"),
    "an error's message changes": (
        _set(_schema("ErrorCode", "x-errors", "COLLECTION_FULL"), message="There is no room."),
        "patch",
    ),
    "a description changes": (_set(_operation(LIST, "get"), description="Lists them."), "patch"),
    "an example changes": (_set(_schema("CollectionName"), example="Deep Work"), "patch"),
    "a summary changes": (_set(_operation(LIST, "get"), summary="List"), "patch"),
    "nothing changes": (lambda _: None, "none"),
}


def _alternatives(document: Document) -> None:
    """The list's items are one of two objects, told apart by `kind`."""
    schemas = document["components"]["schemas"]
    for name in ("Album", "Mix"):
        kind = {"type": "string", "enum": [name.lower()]}
        schemas[name] = {"type": "object", "required": ["kind"], "properties": {"kind": kind, "sort": kind}}
    references = [{"$ref": f"#/components/schemas/{name}"} for name in ("Album", "Mix")]
    schemas["Item"] = {"oneOf": references, "discriminator": {"propertyName": "kind"}}
    schemas["CollectionPage"]["properties"]["items"]["items"] = {"$ref": "#/components/schemas/Item"}


def _quota(requests: int) -> Change:
    quota = {"per": "credential", "requests": requests, "seconds": 60, "description": "All requests."}
    return lambda document: document.update({"x-rate-limits": {"default": quota}})


def _in_both(**values: Any) -> Change:
    """`count` in the body of a change and in its answer."""

    def change(document: Document) -> None:
        for name in ("CollectionPatch", "Collection"):
            count = document["components"]["schemas"][name]["properties"].setdefault("count", {"type": "integer"})
            count.update(values)

    return change


NAMED = _set(_schema("ErrorType"), enum=["client_error"], **{"x-enum-varnames": ["ClientErrorType"]})

# Changes of what the last release does not have: how the base is prepared, the change, and its level.
PREPARED: dict[str, tuple[Change, Change, str]] = {
    "a discriminator has another name": (
        _alternatives,
        _set(_schema("Item"), discriminator={"propertyName": "sort"}),
        "major",
    ),
    "readOnly is put on": (_in_both(), _in_both(readOnly=True), "major"),
    "readOnly is removed": (_in_both(readOnly=True), _in_both(readOnly=False), "major"),
    "writeOnly is put on": (_in_both(), _in_both(writeOnly=True), "major"),
    "writeOnly is removed": (_in_both(writeOnly=True), _in_both(writeOnly=False), "minor"),
    "a quota is lowered": (_quota(100), _quota(10), "minor"),
    "a quota is raised": (_quota(10), _quota(100), "minor"),
    "a constant is renamed": (NAMED, _set(_schema("ErrorType"), **{"x-enum-varnames": ["ClientType"]}), "major"),
    "explode is left out": (
        _set(_component("parameters", "Offset"), explode=True),
        _drop(_component("parameters", "Offset"), "explode"),
        "none",
    ),
    "explode changes": (
        _set(_component("parameters", "Offset"), explode=True),
        _set(_component("parameters", "Offset"), explode=False),
        "major",
    ),
}
