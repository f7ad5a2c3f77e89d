"""Go servers that ogen generates from the contract: one from its strict view, one from the view for clients."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.bench.peers.music.contract import of_successes
from tools.bench.targets import CONTRACT, GO_SERVERS, PEERS
from web.contract import relaxed_contract

HOME = PEERS / "ogen"
VIEWS = {"strict": lambda document: document, "client": relaxed_contract.relax}


def build(view: str) -> None:
    """Generates and compiles the server of a view in `dist`, unless its sources are unchanged. Needs `go` and a C
    compiler, for SQLite. Raises RuntimeError with the output of what failed.
    """
    contract, folder = _contract(view), GO_SERVERS / view
    digest = _digest(contract, view)
    stamp = folder / ".lock"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    print(f"Generating and compiling the Go server of the {view} view in {folder}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HOME, folder)
    (folder / "openapi.json").write_text(contract, encoding="utf-8")
    _run(folder, "tool", "ogen", "--config", f"{view}.yaml", "--target", "api", "--package", "api", "openapi.json")
    _run(folder, "build", "-buildvcs=false", "-mod=readonly", "-o", "server", ".")
    stamp.write_text(digest, encoding="utf-8")


def _contract(view: str) -> str:
    document: dict[str, Any] = json.loads(CONTRACT.read_text(encoding="utf-8"))
    return json.dumps(of_successes(VIEWS[view](document)))


def _digest(contract: str, view: str) -> str:
    sources = sorted(file for file in HOME.iterdir() if file.suffix != ".yaml" or file.stem == view)
    return hashlib.sha256(b"\0".join([contract.encode(), *(file.read_bytes() for file in sources)])).hexdigest()


def _run(folder: Path, *words: str) -> None:
    go = shutil.which("go")
    if go is None:
        raise RuntimeError("The peers of ogen need Go 1.26 or newer: https://go.dev/dl.")
    done = subprocess.run([go, *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"go {' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
