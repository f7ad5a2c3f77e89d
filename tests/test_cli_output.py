"""Output of the command line: help, version, completion, JSON, tables, colours and errors."""

import json
import platform
import re
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.main import cli
from models.exceptions import Unavailable
from ops import errors
from settings import ROOT
from tools.testing.cli_runner import Shell

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
WHO = ("--organization", "org_real", "--user", "ida")
# Command groups.
NAMES_OF_GROUPS = ("audio", "engines", "keys", "members", "organizations", "shares", "studio", "tracks")
GROUPS = ((), *((name,) for name in NAMES_OF_GROUPS))
# A worker reports nothing; what it does is in its log, which is JSON.
SILENT = (("work",),)


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


COMMANDS = list(_commands(get_command(cli)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help(sqlite: Shell, words: tuple[str, ...]) -> None:
    short, long = sqlite.text(*words, "-h"), sqlite.text(*words, "--help")
    assert short == long
    assert short.strip().startswith(" ".join(("Usage: music-studio", *words)))
    assert "\x1b" not in short
    summaries = re.findall(r"^  [a-z]+ {2,}(.*)$", short.partition("Commands:")[2], re.MULTILINE)
    assert not [summary for summary in summaries if summary.endswith("...")], "a summary must fit on one line"


@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in GROUPS + SILENT], ids=" ".join)
def test_every_command_has_a_json_option(sqlite: Shell, words: tuple[str, ...]) -> None:
    assert "--json" in sqlite.text(*words, "-h")


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_command_group_without_a_command_shows_help(sqlite: Shell, words: tuple[str, ...]) -> None:
    assert sqlite.text(*words) == sqlite.text(*words, "-h")


def test_version_option_prints_the_project_version(sqlite: Shell) -> None:
    assert sqlite.text("--version") == f"music-studio {VERSION}\n"


def test_version_command_prints_the_project_version(sqlite: Shell) -> None:
    assert sqlite.text("version").startswith(f"music-studio {VERSION} (Python 3.")
    assert sqlite.json("version") == {"version": VERSION, "python": platform.python_version()}


def test_shell_completion_works(sqlite: Shell) -> None:
    words = {"COMP_WORDS": "music-studio ke", "COMP_CWORD": "1"}
    assert sqlite.run(_MUSIC_STUDIO_COMPLETE="complete_bash", **words).stdout == "keys\n"
    assert {"--install-completion", "--show-completion"} <= set(sqlite.text("-h").split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mgrate",), "No such command 'mgrate'. Did you mean 'migrate'? See `music-studio --help`."),
        (("serve", "--bogus"), "No such option: --bogus"),
        (("keys", "pause"), "Missing argument 'KEY_ID'. See `music-studio keys pause --help`."),
        (("keys", "create", *WHO, "--expires-in-days", "0"), "See `music-studio keys create --help`."),
    ],
)
def test_wrong_usage_gives_a_one_sentence_error(sqlite: Shell, words: tuple[str, ...], message: str) -> None:
    done = sqlite.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"music-studio: [^\n]+\.\n", done.stderr)
    assert message in done.stderr


def test_invalid_option_is_named_as_typed(sqlite: Shell) -> None:
    assert "--port is '99999'; it must be" in sqlite.error("serve", "--port", "99999")
    assert "--rate-limit is 'many'; it must be" in sqlite.error("mock", "--rate-limit", "many")


def test_database_failure_during_a_command_gives_a_one_sentence_error() -> None:
    assert errors.lines(Unavailable("The database does not answer")) == ("The database does not answer: try again.",)


def test_metrics_port_in_use_gives_a_one_sentence_error(sqlite: Shell) -> None:
    sqlite.text("migrate")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        sentence = sqlite.error("serve", "--port", "0", MUSIC_STUDIO_METRICS_PORT=port)
    assert f"Cannot serve metrics on 127.0.0.1:{port}: address already in use." in sentence


def test_import_of_a_missing_folder_creates_no_organization(sqlite: Shell) -> None:
    sqlite.text("migrate")
    assert "is not a folder" in sqlite.error("tracks", "import", "nowhere", *WHO)
    assert sqlite.json("demo")["organization_id"] == "org_abc123"  # the demo is refused if there are other data


def test_database_commands_report_as_json(sqlite: Shell) -> None:
    migrated = sqlite.json("migrate")
    assert migrated == {"database_url": sqlite.url, "revision": migrated["revision"]}
    assert re.fullmatch("[0-9]{4}", migrated["revision"])
    copy = sqlite.folder / "copy.db"
    written = sqlite.json("backup", str(copy))
    assert written == {"file": str(copy), "bytes": copy.stat().st_size, "database_url": sqlite.url, "audio": None}
    sqlite.json("demo")
    restored = sqlite.json("restore", str(copy), "--force")
    audio = {"copied_audio": 0, "missing_audio": {"total": 0, "track_ids": []}, "reason": None}
    assert restored == {
        "file": str(copy),
        **migrated,
        "withdrawn_keys": [],
        "working_again": [],
        "requeued_jobs": 0,
        "revoked_links": 0,
        **audio,
    }


@pytest.mark.slow
def test_health_command_reports_status(sqlite: Shell) -> None:
    sqlite.text("migrate")
    with sqlite.serving("serve", "--port", "0", "--json") as (url, _):
        facts = json.loads((sqlite.folder / "stdout").read_text())
        assert facts == {"url": url, "docs_url": f"{url}/docs", "metrics_url": None}
        port = url.rpartition(":")[2]
        assert sqlite.json("health", "--port", port) == {
            "url": f"{url}/v1/health/live",
            "status": 200,
            "healthy": True,
        }
        assert sqlite.text("health", "--ready", "--port", port) == f"The server on 127.0.0.1 port {port} is ready.\n"
    assert f"The server on 127.0.0.1 port {port} does not respond" in sqlite.error("health", "--port", port)


@pytest.mark.slow
def test_up_reports_as_json(sqlite: Shell) -> None:
    with sqlite.serving("up", "--port", "0", "--json") as (url, _):
        facts = json.loads((sqlite.folder / "stdout").read_text())
    assert facts["url"] == url
    assert set(facts["demo"]["users"]) == {"alice", "bob", "mallory"}


@pytest.mark.parametrize(
    "words",
    [("--version",), ("migrate", "--json"), ("keys", "list"), ("tracks", "list", *WHO[:2]), ("settings", "--json")],
    ids=" ".join,
)
def test_subprocess_output_equals_in_process_output(sqlite: Shell, words: tuple[str, ...]) -> None:
    sqlite.text("migrate")
    started, ran = sqlite.start(*words), sqlite.run(*words)
    assert (started.returncode, started.stdout, started.stderr) == (0, ran.stdout, ran.stderr)


def test_failing_process_prints_one_sentence(sqlite: Shell) -> None:
    done = sqlite.start("keys", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"music-studio: There is no database [^\n]+: run `music-studio migrate` first\.\n", done.stderr)


def test_table_columns_are_aligned_without_colour(sqlite: Shell) -> None:
    sqlite.text("migrate")
    for user in ("ida", "somebody_with_a_long_name"):
        sqlite.text("keys", "create", "--organization", "org_real", "--user", user)
    shown = sqlite.on_terminal("keys", "list")
    lines = [line.rstrip() for line in _plain(shown).splitlines()]
    assert len(lines) == 3
    column = lines[0].index("STATE")
    assert [line[column : column + 6] for line in lines[1:]] == ["active", "active"]
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown), "NO_COLOR is set"
    assert re.search(r"\x1b\[[0-9;]*3[0-9]", sqlite.on_terminal("-h", NO_COLOR=""))


def test_progress_bar_is_shown_on_a_terminal_only(sqlite: Shell, tmp_path: Path) -> None:
    sqlite.text("migrate")
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / "notes.txt").write_text("no audio")
    words = ("tracks", "import", str(folder), *WHO)
    assert "Importing" in sqlite.on_terminal(*words)
    assert sqlite.run(*words).stderr == ""
    assert "Copying" in sqlite.on_terminal("backup", str(tmp_path / "copy.db"))
    assert "Restoring" in sqlite.on_terminal("restore", str(tmp_path / "copy.db"), "--force")


def _plain(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
