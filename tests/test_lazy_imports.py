"""Lazy and stubbed imports of the server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from settings import ROOT
from tools.testing import databases
from web.lazy_imports import LAZY, STUBBED


def _printed(program: str, folder: Path = ROOT) -> set[str]:
    """The words that a Python program prints; it makes its files in `folder`."""
    command, environ = [sys.executable, "-c", program], os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


# What commands, pages and the other database need; each has cost a start its time and a worker its memory.
UNUSED = {
    "alembic", "docsite.site", "jinja2", "limits", "markdown_it", "multiprocessing", "numpy", "ops.demo",
    "ops.maintenance", "pydantic", "pygments", "scipy", "studio.brief", "tomllib", "typer", "web.contract.conformance",
    "web.flask_pages", "web.server.supervisor",
}  # fmt: skip
DRIVERS = {"asyncpg", "psycopg"}
# A server that says what it has imported, in the place of serving.
SERVER = """
import os, sys
from cli import start
from web.server import process

def serve(application, *_):
    os.write(1, " ".join(sys.modules).encode())
    return 0

process.serve = serve
sys.argv = ["music-studio", "serve", "--port", "0", "--database-url", URL]
start.main()
"""


@pytest.mark.parametrize(("kind", "drivers"), [("sqlite", set()), ("postgresql", {"asyncpg"})])
def test_server_imports_only_what_its_operations_need(kind: str, drivers: set[str], tmp_path: Path) -> None:
    with databases.migrated(kind, tmp_path) as url:
        loaded = _printed(SERVER.replace("URL", repr(url)), tmp_path)
    assert {"connexion", "structlog", "sqlalchemy", "handlers.collections"} <= loaded
    assert loaded & DRIVERS == drivers, "A server has one driver; see models/db/database.py."
    assert ("sqlalchemy.dialects.postgresql" in loaded) == (kind == "postgresql"), (
        "A server on SQLite imports the dialects of PostgreSQL: use models/upsert.py, and no `postgresql_` argument."
    )
    found = loaded & {*LAZY, *STUBBED, *UNUSED}
    assert not found, (
        f"A server imports {sorted(found)} before its first response. Import it in the function that needs it, or see "
        "web/lazy_imports.py."
    )


def test_lazy_module_loads_the_real_one_on_use() -> None:
    calls = "web.lazy_imports.connexion.json_schema.requests.Request('GET', 'http://a.example').url"
    assert _printed(f"import web.lazy_imports, sys; print({calls}, *sys.modules)") >= {"http://a.example", "requests"}


def test_stubbed_modules_are_importable_afterwards() -> None:
    assert _printed("import web.lazy_imports, requests, rich; print(requests.get.__module__, rich.__name__)") == {
        "requests.api",
        "rich",
    }
