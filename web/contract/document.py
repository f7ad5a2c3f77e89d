"""Bundles the files of openapi/ into one OpenAPI document, in which references to named components are kept."""

from __future__ import annotations

import json
import sys
from functools import cache
from os.path import normpath
from pathlib import Path
from typing import Any

import yaml

HOME = Path(__file__).parents[2] / "openapi" / "openapi.yaml"
METHODS = ("get", "put", "post", "delete", "patch")
Place = tuple[Path, str]


class _Loader(yaml.CSafeLoader):
    """YAML loader that keeps timestamps as text, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def load(home: Path = HOME) -> dict[str, Any]:
    """The contract as one OpenAPI document.

    A reference to a component that the root file lists becomes `#/components/...`; any other reference is inlined.
    """
    return _Bundle(home.resolve()).document()


@cache
def document() -> dict[str, Any]:
    """The contract of this source tree, for tools and tests; cached, so treat it as read-only."""
    return load()


def lookup(root: dict[str, Any], node: Any) -> Any:
    """The node, or the target of its local `$ref`."""
    while isinstance(node, dict) and "$ref" in node:
        node = _walk(root, node["$ref"].removeprefix("#"))
    return node


class _Bundle:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.files: dict[Path, Any] = {}
        self.names: dict[Place, str] = {}

    def document(self) -> dict[str, Any]:
        root = self.read(self.home)
        for section, components in root["components"].items():
            for name, node in components.items():
                if "$ref" in node:
                    self.names[self.place(node["$ref"], self.home)] = f"#/components/{section}/{name}"
        parts = {key: self.resolve(value, self.home) for key, value in root.items() if key != "components"}
        return parts | {"components": {section: self.section(nodes) for section, nodes in root["components"].items()}}

    def section(self, nodes: dict[str, Any]) -> dict[str, Any]:
        return {
            name: self.inline(node["$ref"], self.home) if "$ref" in node else self.resolve(node, self.home)
            for name, node in nodes.items()
        }

    def resolve(self, node: Any, file: Path) -> Any:
        if isinstance(node, list):
            return [self.resolve(item, file) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("$ref"), str):
            if node["$ref"].startswith("#/components/") and file == self.home:
                return node  # the document is bundled already
            name = self.names.get(self.place(node["$ref"], file))
            return {"$ref": name} if name else self.inline(node["$ref"], file)
        return {key: self.resolve(value, file) for key, value in node.items()}

    def inline(self, reference: str, file: Path) -> Any:
        target, pointer = self.place(reference, file)
        return self.resolve(_walk(self.read(target), pointer), target)

    def place(self, reference: str, file: Path) -> Place:
        path, _, pointer = reference.partition("#")
        return (Path(normpath(file.parent / path)) if path else file, pointer)

    def read(self, file: Path) -> Any:
        if file not in self.files:
            self.files[file] = yaml.load(file.read_bytes(), Loader=_Loader)  # noqa: S506 - _Loader is a safe loader
        return self.files[file]


def _walk(node: Any, pointer: str) -> Any:
    """The target of a JSON Pointer (RFC 6901)."""
    for part in pointer.split("/")[1:]:
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


if __name__ == "__main__":
    json.dump(load(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
