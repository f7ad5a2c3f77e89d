"""Hypothesis strategy for values of a Schema Object (OpenAPI 3.0.3), some of them valid and some just invalid."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from web.contract.document import lookup

Values = st.SearchStrategy[Any]
_ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 10),
    st.text(max_size=4),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.sampled_from(["a", "name", "example"]), st.integers(0, 3), max_size=2),
)


def values(schema: dict[str, Any], document: dict[str, Any]) -> Values:
    """Valid values, values of the right type that may break a limit, and values of any type."""
    return st.one_of(_valid(schema, document), _valid(schema, document), _near(schema, document), _ANYTHING)


def _valid(schema: dict[str, Any], document: dict[str, Any]) -> Values:
    schema = lookup(document, schema)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for word in ("allOf", "anyOf", "oneOf"):
        if word in schema:
            return st.one_of([_valid(part, document) for part in schema[word]])
    kind = schema.get("type")
    if kind not in _BY_TYPE:
        return _ANYTHING
    valid: Values = _BY_TYPE[kind](schema, document)
    return st.one_of(st.none(), valid) if schema.get("nullable") else valid


def _near(schema: dict[str, Any], document: dict[str, Any]) -> Values:
    """Values at the limits and beyond; objects that lack a field or have another one."""
    schema = lookup(document, schema)
    if schema.get("type") == "integer":
        bounds = [schema.get(bound, 0) for bound in ("minimum", "maximum")]
        return st.sampled_from([bound + step for bound in bounds for step in (-1, 0, 1)])
    if schema.get("type") != "object":
        return _ANYTHING
    fields = {name: values(child, document) for name, child in schema.get("properties", {}).items()}
    return st.fixed_dictionaries({}, optional=fields | {"unknown": st.integers(0, 1)})


def _text(schema: dict[str, Any], _: dict[str, Any]) -> Values:
    longest = schema.get("maxLength", 8)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].removesuffix("$") + r"\Z").map(lambda text: text[:longest])
    return st.text(min_size=schema.get("minLength", 0), max_size=longest)


def _integer(schema: dict[str, Any], _: dict[str, Any]) -> Values:
    return st.integers(schema.get("minimum", -3), schema.get("maximum", 9))


def _number(schema: dict[str, Any], _: dict[str, Any]) -> Values:
    return st.floats(schema.get("minimum", -3), schema.get("maximum", 9))


def _array(schema: dict[str, Any], document: dict[str, Any]) -> Values:
    return st.lists(_valid(schema["items"], document), max_size=3)


def _object(schema: dict[str, Any], document: dict[str, Any]) -> Values:
    fields = {name: _valid(child, document) for name, child in schema.get("properties", {}).items()}
    required = {name: fields.pop(name) for name in schema.get("required", [])}
    return st.fixed_dictionaries(required, optional=fields)


_BY_TYPE = {
    "array": _array,
    "boolean": lambda *_: st.booleans(),
    "integer": _integer,
    "number": _number,
    "object": _object,
    "string": _text,
}
