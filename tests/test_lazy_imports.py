"""Lazy and stubbed imports of the server."""

import subprocess
import sys

from settings import ROOT
from web.lazy_imports import LAZY, STUBBED


def _printed(program: str) -> set[str]:
    """The words that a Python program prints."""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_server_does_not_import_lazy_or_stubbed_modules() -> None:
    # The command imports everything before it finds that there is no database.
    loaded = _printed(
        "import atexit, sys; atexit.register(lambda: print(*sys.modules)); from cli.main import cli\n"
        "try: cli(['serve', '--port', '0', '--database-url', 'sqlite:////nowhere/at-all.db'])\n"
        "except SystemExit: sys.exit(0)"
    )
    assert {"connexion", "structlog", "sqlalchemy"} <= loaded
    assert not loaded & {*LAZY, *STUBBED, "alembic", "numpy", "scipy", "studio.brief"}, (
        "See web/lazy_imports.py and ops/database_setup.py."
    )


def test_lazy_module_loads_the_real_one_on_use() -> None:
    calls = "web.lazy_imports.connexion.json_schema.requests.Request('GET', 'http://a.example').url"
    assert _printed(f"import web.lazy_imports, sys; print({calls}, *sys.modules)") >= {"http://a.example", "requests"}


def test_stubbed_modules_are_importable_afterwards() -> None:
    assert _printed("import web.lazy_imports, requests, rich; print(requests.get.__module__, rich.__name__)") == {
        "requests.api",
        "rich",
    }
