"""Bundles the files of an OpenAPI document into one, in which references to named components are kept."""

from __future__ import annotations

from os.path import normpath
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from web.contract import objects, yaml_loader
from web.exceptions import ContractError

Place = tuple[Path, str]
_NAMED = "#/components/"


def bundle(home: Path) -> dict[str, Any]:
    """The document of a root file. Raises ContractError with one line per fault: file, pointer, what to write instead.

    A reference to a component that the root file lists becomes `#/components/...`; any other reference is inlined.
    What stands in `example`, `default`, `enum` or an extension is data, and a `$ref` in it is no reference.
    """
    bundling = _Bundle(home.resolve())
    try:
        document = bundling.document()
    except RecursionError:
        raise ContractError(f"{home} contains itself through a YAML alias; write a named component.") from None
    if bundling.faults:
        raise ContractError("\n".join(dict.fromkeys(bundling.faults)))
    return document


def follow(node: Any, pointer: str) -> Any:
    """The target of a JSON Pointer (RFC 6901). Raises KeyError, TypeError, IndexError or ValueError if it has none."""
    for part in unquote(pointer).split("/")[1:]:
        node = node[int(part) if isinstance(node, list) else part.replace("~1", "/").replace("~0", "~")]
    return node


class _Bundle:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.files: dict[Path, Any] = {}
        self.names: dict[Place, str] = {}
        self.faults: list[str] = []
        self.open: list[Place] = []  # the references that are being inlined, outermost first

    def document(self) -> dict[str, Any]:
        root = self.read(self.home)
        if not isinstance(root, dict):
            raise ContractError(f"{self.home} is no OpenAPI document; write a mapping with `openapi: 3.0.3` in it.")
        listed = _components(root)
        for section, name, _ in listed:
            self.names[self.home, f"/components/{section}/{name}"] = f"{_NAMED}{section}/{name}"
        for section, name, node in listed:
            if "$ref" in node:
                self.names.setdefault(self.target(node["$ref"], self.home), f"{_NAMED}{section}/{name}")
        whole = {field: self.field("OpenAPI", field, item, (self.home, f"/{field}")) for field, item in root.items()}
        for section, name, node in _components(whole):
            self.require_end(whole, section, name, node)
        return whole

    def require_end(self, whole: dict[str, Any], section: str, name: str, node: dict[str, Any]) -> None:
        """Notes a component that is a reference to itself, directly or through other components."""
        seen = set()
        while "$ref" in node and not self.faults:
            if node["$ref"] in seen:
                self.fault((self.home, f"/components/{section}/{name}"), "is a reference that leads back to itself.")
            seen.add(node["$ref"])
            node = follow(whole, node["$ref"].removeprefix("#"))

    def field(self, kind: str, field: str, value: Any, place: Place) -> Any:
        """The value of a field, bundled. A named component is inlined where it is listed."""
        if (kind, field) != ("OpenAPI", "components") or not isinstance(value, dict):
            held = objects.child(kind, field)
            return value if held is None else self.resolve(held, value, place)
        listed = {section: dict(nodes) for section, nodes in value.items() if isinstance(nodes, dict)}
        for section, name, node in _components({"components": value}):
            held = (objects.child("Components", section) or "").strip("{}")
            at = self.home, f"{place[1]}/{section}/{objects.escape(name)}"
            if held:
                self.require_section(held, str(node.get("$ref", "")), at)
                listed[section][name] = (
                    self.inline(held, node["$ref"], at) if "$ref" in node else self.resolve(held, node, at)
                )
        return value | listed

    def resolve(self, kind: str, value: Any, place: Place) -> Any:
        if objects.is_reference(kind, value):
            return self.reference(kind, value, place)
        parts = {
            key: self.resolve(held, item, (place[0], f"{place[1]}/{objects.escape(key)}"))
            for key, held, item in objects.members(kind, value)
        }
        if kind == "Discriminator" and isinstance(value.get("mapping"), dict):
            parts["mapping"] = {word: self.mapped(name, place[0]) for word, name in value["mapping"].items()}
        if isinstance(value, list):
            return list(parts.values()) if parts else value
        return value | parts if isinstance(value, dict) else value

    def reference(self, kind: str, node: dict[str, Any], place: Place) -> Any:
        if len(node) > 1:
            beside = ", ".join(f"`{key}`" for key in node if key != "$ref")
            self.fault(place, f"{beside} beside `$ref` has no effect (OpenAPI 3.0.3, Reference Object); remove it.")
        self.require_section(kind, node["$ref"], place)
        name = self.names.get(self.target(node["$ref"], place[0]))
        return self.inline(kind, node["$ref"], place) if name is None or kind == "PathItem" else {"$ref": name}

    def mapped(self, schema: Any, file: Path) -> Any:
        """A value of a discriminator's mapping: the name of a component, or a reference (OpenAPI 3.0.3)."""
        return self.names.get(self.target(schema, file), schema) if isinstance(schema, str) else schema

    def require_section(self, kind: str, reference: str, place: Place) -> None:
        """Notes a reference to a component of another section."""
        name, due = self.names.get(self.target(reference, place[0]), ""), objects.SECTIONS.get(kind)
        if name and due and name.split("/")[2] != due:
            self.fault(place, f"`$ref: {reference}` leads to {name}; refer to one of {due}.")

    def inline(self, kind: str, reference: str, place: Place) -> Any:
        target = self.target(reference, place[0])
        if target in self.open:
            self.fault(place, f"`$ref: {reference}` leads back to itself; list its target in `components`.")
            return {}
        try:
            found = follow(self.read(target[0]), target[1])
        except OSError as error:
            return self.fault(place, f"`$ref: {reference}`: cannot read {target[0]}: {error.strerror}.")
        except (KeyError, IndexError, TypeError, ValueError):
            return self.fault(place, f"`$ref: {reference}` leads nowhere.")
        self.open.append(target)
        try:
            return self.resolve(kind, found, target)
        finally:
            self.open.pop()

    def fault(self, place: Place, sentence: str) -> dict[str, Any]:
        """Notes a fault; returns what stands in for the value that could not be had."""
        self.faults.append(f"{place[0]}#{place[1]}: {sentence}")
        return {}

    def target(self, reference: str, file: Path) -> Place:
        path, _, pointer = reference.partition("#")
        return (Path(normpath(file.parent / path)) if path else file, unquote(pointer))

    def read(self, file: Path) -> Any:
        if file not in self.files:
            self.files[file] = yaml_loader.read(file)
        return self.files[file]


def _components(root: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Section, name and node of each component of a root file."""
    sections = root.get("components") or {}
    return [
        (section, name, node)
        for section, nodes in (sections.items() if isinstance(sections, dict) else ())
        for name, node in (nodes.items() if isinstance(nodes, dict) else ())
        if isinstance(node, dict) and not section.startswith("x-")
    ]
