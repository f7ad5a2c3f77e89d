"""Rules for breaking changes that `redocly diff` rates as a patch.

Decision 14.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from tools.contract import document_rules
from tools.contract.change import Finding, broken
from web.contract.links import location_link
from web.contract.reading import OperationObject, operations

Rule = Iterator[Finding]
Described = dict[str, Any]


def findings(base: dict[str, Any], revision: dict[str, Any]) -> list[Finding]:
    """The changes of the operations that both contracts have, of error catalog, quotas, schemas and paths."""
    after = {(operation.template, operation.method): operation for operation in operations(revision)}
    pairs = [(old, after[old.template, old.method]) for old in operations(base) if (old.template, old.method) in after]
    of_operations = (_credentials, _scope, _defaults, _tags, _fields, _location)
    changes = chain.from_iterable(rule(old, new) for old, new in pairs for rule in of_operations)
    return list(dict.fromkeys([*changes, *document_rules.findings(base, revision)]))


def _credentials(old: OperationObject, new: OperationObject) -> Rule:
    before, after = old.security(), new.security()
    if not before and after:
        yield broken(
            f"who calls {old.title} without a credential",
            "It was public, and now it is not.",
            "Keep `security: []` on it.",
        )
    for alternative in before:
        if after and not any(way <= alternative for way in after):
            names = " and ".join(sorted(name for name, _ in alternative)) or "no credential"
            yield broken(
                f"who calls {old.title}", f"{names} no longer suffices.", "Keep accepting the old credentials."
            )


def _scope(old: OperationObject, new: OperationObject) -> Rule:
    before, after = old.node.get("x-scope"), new.node.get("x-scope")
    if after and before != after:
        yield broken(
            f"who calls {old.title} with a key for {before or 'anything'}",
            f"It needs {after} now.",
            "Keep requiring the old scope.",
        )


def _tags(old: OperationObject, new: OperationObject) -> Rule:
    if old.node.get("tags") != new.node.get("tags"):
        yield broken(
            f"who calls {old.title} through a generated client",
            f"It moved from {_listed(old)} to {_listed(new)}, which are classes there.",
            "Keep the tag.",
        )


def _listed(operation: OperationObject) -> str:
    return "/".join(operation.node.get("tags", ["nowhere"]))


def _defaults(old: OperationObject, new: OperationObject) -> Rule:
    before, after = dict(_inputs(old)), dict(_inputs(new))
    for place in before.keys() & after.keys():
        was, is_ = before[place].get("default"), after[place].get("default")
        if was != is_:
            yield broken(
                f"who leaves {place} out of {old.title}",
                f"Its default went from {was!r} to {is_!r}.",
                "Keep the default; clients that want the new value can send it.",
            )


def _fields(old: OperationObject, new: OperationObject) -> Rule:
    """Changes in schemas and headers: nullable, unknown fields, unique items, and headers that are not always sent."""
    yield from _narrowed(f"who sends {old.title}", dict(_inputs(old)), dict(_inputs(new)), sent=True)
    for status, response in old.responses.items():
        other = new.responses.get(status)
        if other is not None:
            whom = f"who reads the {status} of {old.title}"
            yield from _narrowed(whom, dict(_outputs(old, response)), dict(_outputs(new, other)), sent=False)
            yield from _headers(whom, _always(old, response), _always(new, other))


def _narrowed(whom: str, before: Described, after: Described, *, sent: bool) -> Rule:
    for place in sorted(before.keys() & after.keys()):
        was, is_ = before[place], after[place]
        if bool(was.get("nullable")) != bool(is_.get("nullable")) and bool(was.get("nullable")) == sent:
            what = "can no longer be null" if sent else "can be null now"
            yield broken(whom, f"{place} {what}.", "Add another field.")
        if _open(was) != _open(is_) and _open(was) == sent:
            what = "no longer accepts unknown fields" if sent else "may contain unknown fields now"
            yield broken(whom, f"{place} {what}.", "Leave additionalProperties as it was.")
        yield from _changed_roles(whom, place, was, is_)
        if sent and is_.get("uniqueItems") and not was.get("uniqueItems"):
            yield broken(whom, f"{place} must have unique items now.", "Ignore duplicates instead of refusing them.")


def _changed_roles(whom: str, place: str, was: Described, is_: Described) -> Rule:
    """Changes in who may send a value, and in the property that tells the alternatives apart."""
    before, after = (bool(schema.get("readOnly")) for schema in (was, is_))
    if before != after:
        yield broken(whom, f"{place} {'is' if after else 'is no longer'} readOnly.", "Add another field.")
    if is_.get("writeOnly") and not was.get("writeOnly"):
        yield broken(whom, f"{place} is writeOnly.", "Keep sending it.")
    names = [schema.get("discriminator", {}).get("propertyName") for schema in (was, is_)]
    if None not in names and names[0] != names[1]:
        what = f"The discriminator of {place} is {names[1]} in place of {names[0]}."
        yield broken(whom, what, "Keep the property that tells the alternatives apart.")


def _location(old: OperationObject, new: OperationObject) -> Rule:
    """The server makes Location from the first link to a GET."""
    before, after = (_link(operation) for operation in (old, new))
    if before and before != after:
        what = "The link that Location is made from is gone or leads elsewhere."
        yield broken(
            f"who follows the Location of {old.title}", what, "Keep the first link to a GET, and its parameters."
        )


def _link(operation: OperationObject) -> tuple[str, dict[str, Any]] | None:
    response = operation.by_status[operation.success]
    has_location = "Location" in response.get("headers", {})
    return location_link(operation, response.get("links", {})) if has_location else None


def _open(schema: Described) -> bool:
    return schema.get("additionalProperties", True) is not False


def _headers(whom: str, before: dict[str, bool], after: dict[str, bool]) -> Rule:
    for name in before.keys() & after.keys():
        if before[name] and not after[name]:
            yield broken(whom, f"The header {name} is no longer always sent.", "Keep sending it.")


def _always(operation: OperationObject, response: Described) -> dict[str, bool]:
    """The headers of a response, and whether each is always sent."""
    nodes = response.get("headers", {}).items()
    return {name: bool(operation.follow(node).get("required", False)) for name, node in nodes}


def _inputs(operation: OperationObject) -> Iterator[tuple[str, Described]]:
    """Every parameter and body value of a request, with its schema."""
    for node in operation.parameters:
        yield f"{node['in']} {node['name']}", node["schema"]
    media = operation.body
    if media:
        yield from _below(operation, media.get("schema", {}), "the body")


def _outputs(operation: OperationObject, response: Described) -> Iterator[tuple[str, Described]]:
    for media in response.get("content", {}).values():
        yield from _below(operation, media.get("schema", {}), "the body")


def _below(
    operation: OperationObject, node: Any, place: str, above: tuple[int, ...] = ()
) -> Iterator[tuple[str, Described]]:
    schema = operation.follow(node)
    if id(schema) in above:
        return
    above = (*above, id(schema))
    yield place, schema
    for name, child in schema.get("properties", {}).items():
        yield from _below(operation, child, f"{'' if place == 'the body' else place}/{name}", above)
    if "items" in schema:
        yield from _below(operation, schema["items"], f"{place}/*", above)
    for word in ("allOf", "anyOf", "oneOf"):
        for number, child in enumerate(schema.get(word, [])):
            yield from _below(operation, child, f"{place} ({word} {number})", above)
