"""What a server loads, and what it does without."""

import subprocess
import sys

from settings import ROOT
from web.lazy_imports import LAZY, STUBBED


def _said(program: str) -> set[str]:
    """The words that a new process prints."""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_server_loads_nothing_that_it_has_no_use_for() -> None:
    loaded = _said(
        "import sys, app; from ops import database_setup; from web.server import process; print(*sys.modules)"
    )
    assert {"connexion", "structlog", "sqlalchemy"} <= loaded
    assert not loaded & {*LAZY, *STUBBED, "alembic"}, (
        "web/lazy_imports.py and ops/database_setup.py say how a module is left out."
    )


def test_what_stands_for_a_module_calls_the_real_one() -> None:
    calls = "web.lazy_imports.connexion.json_schema.requests.Request('GET', 'http://a.example').url"
    assert _said(f"import web.lazy_imports, sys; print({calls}, *sys.modules)") >= {"http://a.example", *LAZY[1:2]}


def test_after_lean_everybody_gets_the_real_modules() -> None:
    assert _said("import web.lazy_imports, requests, rich; print(requests.get.__module__, rich.__name__)") == {
        "requests.api",
        "rich",
    }
