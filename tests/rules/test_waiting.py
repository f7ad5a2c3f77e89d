"""What handlers run may run on the event loop, so nothing in it may wait but for the database."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.rules.tree import ROOT, at, listed, parse

# Modules with functions that wait: for a disk, a network, another process, another thread or the clock.
WAITING = {
    "concurrent", "ftplib", "glob", "http", "httpx", "io", "multiprocessing", "os", "pathlib", "psycopg", "queue",
    "requests", "select", "selectors", "shutil", "smtplib", "socket", "sqlite3", "ssl", "subprocess", "tempfile",
    "threading", "time", "urllib",
}  # fmt: skip
CALLS = {"input", "open", "sleep"}
# The database layer waits for the database, and knows whether it is on the event loop; `revocation` is for commands.
ASKING = {"db", "revocation"}


def test_no_handler_can_hold_up_the_event_loop() -> None:
    found = [at(file, line) for file in sorted(_reached()) for line in _waits(parse(file))]
    assert not found, (
        f"Something that may wait is at hand on the event loop:{listed(found)}\n"
        "A handler and what it calls in models may query the database and compute. Anything else that waits belongs "
        "in a handler that is a coroutine, behind asyncio.to_thread."
    )


def test_the_rule_would_see_what_waits() -> None:
    for text in ("import time", "from urllib import request", "open('a')", "from os import path", "time.sleep(1)"):
        assert list(_waits(ast.parse(text))), text
    assert not list(_waits(ast.parse("import re\nfrom datetime import datetime\nmoment = datetime.now()")))


def _reached() -> set[Path]:
    """Handlers and what they import of models, directly or not, but for the database layer."""
    found: set[Path] = set()
    new = set((ROOT / "handlers").glob("*.py"))
    while new:
        found |= new
        names = {name for file in new for name in _models(parse(file))} - ASKING
        new = {ROOT / "models" / f"{name}.py" for name in names} - found
    assert ROOT / "models" / "collection_tracks.py" in found, "the rule looks at too little"
    return found


def _models(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "models":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("models."):
            yield str(node.module).split(".")[1]


def _waits(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if WAITING & {alias.name.partition(".")[0] for alias in names}:
                yield node.lineno
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in WAITING:
                yield node.lineno
            case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)) if name in CALLS:
                yield node.lineno
