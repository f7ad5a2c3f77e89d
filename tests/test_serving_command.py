"""The plain command lines that serve, which are read without Typer as Typer reads them."""

import subprocess
import sys
from functools import partial
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from cli import serving
from cli.main import cli
from cli.start import FLAG, OPTIONS, SERVING, serving_command
from settings import ROOT

PLAIN = (
    "serve",
    "up",
    "serve --json",
    "up --workers 2 --json",
    "serve --host 127.0.0.1 --port 0",
    "serve --host ::1 --port 08080 --database-url sqlite:///a.db",
    "serve --port 1 --port 2",
    "up --database-url postgresql://ida@db/music --workers 3",
)
OTHER = (
    "",
    "work",
    "keys list",
    "serve --help",
    "serve -h",
    "serve --version",
    "serve extra",
    "serve -- --json",
    "serve --port",
    "serve --port --json",
    "serve --port ten",
    "serve --port -1",
    "serve --port=8080",
    "serve --port ٣",
    "serve --port 1_0",
    "serve --host -x",
    "serve --jso",
    "--version serve",
)


@pytest.mark.parametrize("line", PLAIN)
def test_a_plain_command_line_is_read_as_typer_reads_it(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("settings.with_options", partial(dict))
    calls: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr(serving, "serve", lambda chosen, **options: calls.append((_given(chosen), options)))
    command = serving_command(line.split())
    assert command is not None
    command()
    CliRunner().invoke(cli, line.split(), catch_exceptions=False)
    read, typed = calls
    assert read == typed


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


@pytest.mark.parametrize("line", OTHER)
def test_every_other_command_line_is_for_typer(line: str) -> None:
    assert serving_command(line.split()) is None
    assert serving_command(["serve", "--host", ""]) is None


@pytest.mark.parametrize("name", SERVING)
def test_every_option_of_the_commands_that_serve_can_be_read(name: str) -> None:
    command: Any = get_command(cli)
    options = {parameter.opts[0] for parameter in command.commands[name].params}
    assert options == {*OPTIONS, FLAG}, "cli/start.py has other options than the command in cli/serve.py."


def test_a_command_that_serves_needs_no_typer() -> None:
    program = (
        "import sys; from cli import serving, start\n"
        "serving.serve = lambda chosen, **options: print(*sys.modules)\n"
        "sys.argv = ['music-studio', 'serve', '--port', '0']\n"
        "start.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"cli.serving", "settings"} <= loaded
    assert not loaded & {"typer", "pydantic", "cli.main", "sqlalchemy"}, "See cli/start.py."
