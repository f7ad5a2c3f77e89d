"""The contract: one OpenAPI document, loaded from its files and published as JSON and YAML."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from web.contract.bundle import bundle, follow

HOME = Path(__file__).parents[2] / "openapi" / "openapi.yaml"
METHODS = ("get", "put", "post", "delete", "patch", "head")


def load(home: Path = HOME) -> dict[str, Any]:
    """The contract as one OpenAPI document. Raises ContractError, OSError."""
    return bundle(home)


@cache
def document() -> dict[str, Any]:
    """The contract of this source tree, for tools and tests; cached, so treat it as read-only."""
    return load()


def lookup(root: dict[str, Any], node: Any) -> Any:
    """The node, or the target of its local `$ref`."""
    while isinstance(node, dict) and "$ref" in node:
        node = follow(root, node["$ref"].removeprefix("#"))
    return node


@dataclass(frozen=True, slots=True)
class Published:
    """The contract as clients get it: encoded, with its entity tag."""

    body: bytes
    media_type: str
    tag: str


class Contract:
    """The contract of one application. `document` is the bundled OpenAPI document; treat it as read-only."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._published: dict[str, Published] = {}

    def published(self, form: str) -> Published:
        """The document as `json` or `yaml`; the tag is a hash of its bytes."""
        if form not in self._published:
            self._published[form] = _json(self.document) if form == "json" else _yaml(self.document)
        return self._published[form]


def _json(document: dict[str, Any]) -> Published:
    return _with_tag(json.dumps(document, ensure_ascii=False).encode(), "application/json")


def _yaml(document: dict[str, Any]) -> Published:
    text = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)
    return _with_tag(text.encode(), "application/yaml")


def _with_tag(body: bytes, media_type: str) -> Published:
    return Published(body, media_type, hashlib.sha256(body).hexdigest()[:16])


if __name__ == "__main__":
    json.dump(load(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
