"""The contract as `make generate` has compiled it: read and checked once, not at each start.

It is used only while everything that it was made from is the same, byte for byte. Decision 95.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from web.contract import bundle, document, yaml_loader

ROOT = document.HOME.parents[1]
FILE = ROOT / "generated" / "contract.json"


def load(home: Path) -> dict[str, Any]:
    """The contract of a root file. Raises ContractError unless the service does everything that it says; OSError."""
    compiled = _read() if home == document.HOME else None
    return _checked(home) if compiled is None else compiled


def to_bytes() -> bytes:
    """The contract of this source tree, and the digest of what it was made from. Raises ContractError, OSError."""
    return orjson.dumps({"digest": _digest(), "document": _checked(document.HOME)}) + b"\n"


def _checked(home: Path) -> dict[str, Any]:
    from web.contract import conformance, specification  # a start with a compiled contract needs neither

    loaded = document.load(home)
    conformance.require_supported(loaded)
    specification.require_valid(loaded)
    return loaded


def _read() -> dict[str, Any] | None:
    """The compiled document; None without one, or if a file that it was made from has changed."""
    try:
        found = orjson.loads(FILE.read_bytes())
        compiled: dict[str, Any] = found["document"]
        return compiled if found["digest"] == _digest() else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _digest() -> str:
    """The digest of the contract's files, and of what decides how they are read and what of them is supported."""
    readers = (Path(str(module.__file__)) for module in (document, bundle, yaml_loader))
    digest = sha256()
    for file in (*sorted(document.HOME.parent.rglob("*.yaml")), *readers, document.KEYWORDS):
        digest.update(f"{file.relative_to(ROOT).as_posix()} {sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.stdout.buffer.write(to_bytes())
