"""The contract: one OpenAPI document, loaded from its files and published as JSON and YAML."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from web.contract.bundle import bundle, follow

HOME = Path(__file__).parents[2] / "openapi" / "openapi.yaml"
# The table of what the service supports.
KEYWORDS = Path(__file__).with_name("keywords.yaml")
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


if __name__ == "__main__":
    json.dump(load(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
