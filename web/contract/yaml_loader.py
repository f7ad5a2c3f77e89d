"""Reads YAML 1.2 with the types of JSON: core schema, unique keys, and text as the only kind of key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from web.exceptions import ContractError

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile("[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SCALARS = {
    "null": (re.compile("~|null|Null|NULL|"), ["~", "n", "N", ""]),
    "bool": (re.compile("true|True|TRUE|false|False|FALSE"), list("tTfF")),
    "int": (_INTEGER, list("-+0123456789")),
    "float": (_FLOAT, list("-+.0123456789")),
    "merge": (re.compile("<<"), ["<"]),
}


class _Loader(yaml.CSafeLoader):
    """YAML 1.2 core schema (section 10.3), and the merge key `<<` of YAML 1.1.

    `on`, `no`, `12:30` and `2001-01-01` are text. So is a number with leading zeros, such as `0755`, in which YAML 1.1
    and 1.2 see different numbers. `.inf` and `.nan` are text, because JSON has no such numbers.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping with text keys: `200:` is "200". Raises ConstructorError if a key is no scalar or occurs twice."""
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error("a key is not text", key)
            if key.value in seen:
                raise _error(f"the key `{key.value}` occurs twice in one mapping", key)
            seen.add(key.value)
            if key.tag != f"{_TAG}merge":
                key.tag = f"{_TAG}str"
        return super().construct_mapping(node, deep)


def read(file: Path) -> Any:
    """The content of a YAML or JSON file. Raises ContractError with file and line, OSError."""
    try:
        return yaml.load(file.read_bytes(), Loader=_Loader)  # noqa: S506 - _Loader is a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f", line {mark.line + 1}"
        raise ContractError(f"{file}{line}: {error.problem}.") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ContractError(f"{file} is not YAML: {' '.join(str(error).split())}.") from None


def _error(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text: str = loader.construct_scalar(node)
    return int(text, 0 if text[:2] in ("0o", "0x") else 10)


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(loader.construct_scalar(node))


_Loader.yaml_implicit_resolvers = {}
for _name, (_rule, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_rule.pattern})$"), _first)
# Without the tags that make values which JSON does not have: binary, timestamp, set, omap and pairs.
_Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in yaml.CSafeLoader.yaml_constructors.items()
    if tag is None or tag.removeprefix(_TAG) in ("null", "bool", "str", "seq", "map")
}
_Loader.add_constructor(f"{_TAG}int", _integer)
_Loader.add_constructor(f"{_TAG}float", _float)
