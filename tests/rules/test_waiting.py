"""Handlers and the models that they call do not block the event loop, except in the database layer."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.rules.tree import ROOT, at, listed, parse

# Modules with blocking functions: disk, network, processes, threads, clock.
BLOCKING_MODULES = {
    "concurrent", "ftplib", "glob", "http", "httpx", "io", "multiprocessing", "os", "pathlib", "psycopg", "queue",
    "requests", "select", "selectors", "shutil", "smtplib", "socket", "sqlite3", "ssl", "subprocess", "tempfile",
    "threading", "time", "urllib",
}  # fmt: skip
BLOCKING_CALLS = {"input", "open", "sleep"}
# The database layer knows whether it runs on the event loop; `revocation` is for commands.
EXEMPT = {"db", "revocation"}


def test_handlers_do_not_block_the_event_loop() -> None:
    found = [at(file, line) for file in sorted(_modules_of_handlers()) for line in _blocking_lines(parse(file))]
    assert not found, (
        f"Blocking code that can run on the event loop:{listed(found)}\n"
        "A handler and what it calls in models may query the database and compute. Other blocking code belongs "
        "in a coroutine handler, behind asyncio.to_thread."
    )


def test_rule_detects_blocking_calls() -> None:
    for text in ("import time", "from urllib import request", "open('a')", "from os import path", "time.sleep(1)"):
        assert list(_blocking_lines(ast.parse(text))), text
    assert not list(_blocking_lines(ast.parse("import re\nfrom datetime import datetime\nmoment = datetime.now()")))


def _modules_of_handlers() -> set[Path]:
    """Handlers and their direct and indirect imports from models, except the database layer."""
    found: set[Path] = set()
    new = set((ROOT / "handlers").glob("*.py"))
    while new:
        found |= new
        names = {name for file in new for name in _models(parse(file))} - EXEMPT
        new = {ROOT / "models" / f"{name}.py" for name in names} - found
    assert ROOT / "models" / "collection_tracks.py" in found, "the rule does not follow the imports"
    return found


def _models(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "models":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("models."):
            yield str(node.module).split(".")[1]


def _blocking_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if BLOCKING_MODULES & {alias.name.partition(".")[0] for alias in names}:
                yield node.lineno
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in BLOCKING_MODULES:
                yield node.lineno
            case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)) if name in BLOCKING_CALLS:
                yield node.lineno
