"""Installs the peers from their lock files: a virtual environment per Python framework, node_modules for Node, Go."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tools.bench import ogen
from tools.bench.targets import NODE, PEERS, VENVS, Peer

UV = Path(sys.executable).with_name("uv")


def build(peers: Iterable[Peer]) -> None:
    """Installs the packages of every peer's lock file, unless they are installed already."""
    for home, store in dict.fromkeys((peer.home, peer.store) for peer in peers if peer.home):
        if home == "node":
            _node_modules(PEERS / home)
        elif home == "ogen":
            ogen.build(store)
        else:
            _virtual_environment(home)


def _virtual_environment(home: str) -> None:
    lock, venv = PEERS / home / "requirements.lock", VENVS / home
    if _is_built(venv / ".lock", lock):
        return
    print(f"Installing {home} into {venv}", file=sys.stderr)
    _run([str(UV), "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)], PEERS)
    python = str(venv / "bin" / "python")
    _run([str(UV), "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(lock)], PEERS)
    _write_stamp(venv / ".lock", lock)


def _node_modules(home: Path) -> None:
    lock = home / "package-lock.json"
    if _is_built(home / "node_modules" / ".lock", lock):
        return
    print(f"Installing node_modules into {home}", file=sys.stderr)
    _run([str(NODE.with_name("npm")), "ci", "--ignore-scripts", "--loglevel=error"], home)
    _write_stamp(home / "node_modules" / ".lock", lock)


def _run(command: list[str], folder: Path) -> None:
    path = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, cwd=folder, check=True, env=dict(os.environ, PATH=path))


def _is_built(stamp: Path, lock: Path) -> bool:
    return stamp.exists() and stamp.read_text(encoding="utf-8") == _digest(lock)


def _write_stamp(stamp: Path, lock: Path) -> None:
    stamp.write_text(_digest(lock), encoding="utf-8")


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()
