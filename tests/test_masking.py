"""Passwords and keys are masked wherever something is shown: settings, errors, logs; control characters are escaped."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import structlog

import settings
from cli.settings import describe
from models import organizations, tracks
from ops import output
from tools.testing import log_settings
from tools.testing.cli_runner import ROOT, Shell
from tools.testing.server_process import connected
from web.redaction import mask_credentials, mask_url
from web.telemetry import log_config

CANARY = "c4naryOfTheTests"
# What an operator may write where a password belongs; every % is meant as it stands.
SHAPES = (
    f"ida:{CANARY}@127.0.0.1:1/music",
    f":{CANARY}@127.0.0.1:1/0",
    f"ida:se/{CANARY}@127.0.0.1:1/music",
    f"ida:{CANARY}/se@127.0.0.1:1/music",
    f"ida:se@{CANARY}@127.0.0.1:1/music",
    f"ida:se#{CANARY}?@127.0.0.1:1/music",
    f"ida:se?{CANARY}@127.0.0.1:1/music",
    f"ida:se:{CANARY}@127.0.0.1:1/music",
    f"ida:se%2F{CANARY}@127.0.0.1:1/music",
    f"ida@127.0.0.1:1/music?password={CANARY}",
    f"127.0.0.1:1/music?connect_timeout=1&sslpassword={CANARY}",
    f"127.0.0.1:1/music?passfile=/home/{CANARY}",
    f"127.0.0.1:1/music?pass%77ord={CANARY}",
)
SCHEMES = ("postgresql", "postgres", "redis", "rediss", "https", "1x", "")
URLS = [f"{scheme}://{shape}" for scheme in SCHEMES for shape in SHAPES]
VARIABLES = [row[0] for row in describe()]
CONTROL = "\x1b]0;title\x07\r\n\x85\u009b31m\u202e\u2066\u2028\x7f"


def _with_blanks(shapes: tuple[str, ...]) -> Iterator[str]:
    """The same with what only a whole URL may contain, because a text ends there."""
    yield from (f"postgresql://{shape}".replace("se", 's e"') for shape in shapes)


def test_a_url_is_shown_without_its_secret() -> None:
    assert not [url for url in (*URLS, *_with_blanks(SHAPES)) if CANARY in mask_url(url)]


@pytest.mark.parametrize("form", ["{}", "cannot use '{}': refused", '{{"url":"{}"}}', "url={}", "a {} b x@y.example"])
def test_a_text_is_shown_without_the_secrets_in_it(form: str) -> None:
    assert not [url for url in URLS if CANARY in mask_credentials(form.format(url))]


@pytest.mark.parametrize(
    "text",
    [
        f"password={CANARY} host=db",
        f"host=db password='a {CANARY}'",
        f"Authorization=Bearer {CANARY}",
        f"x-api-key={CANARY},tenant=a",
    ],
)
def test_a_connection_string_and_header_fields_are_masked(text: str) -> None:
    assert CANARY not in mask_credentials(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://db.example:5432/music?sslmode=require",
        "sqlite:////srv/me@home/music.db",
        "http://127.0.0.1:8080/docs",
        "The database postgresql://db/music cannot be used: connection refused.",
        "ida@example.org",
        "version=5 a=b",
    ],
)
def test_what_holds_no_secret_is_shown_as_it_is(text: str) -> None:
    assert (mask_url(text), mask_credentials(text)) == (text, text)


def test_the_user_of_a_database_is_shown() -> None:
    assert mask_url(f"postgresql://ida:{CANARY}@db/music") == "postgresql://ida:***@db/music"
    assert mask_url("postgresql://ida@db/music") == "postgresql://ida@db/music"
    assert mask_url(f"https://{CANARY}@collector/") == "https://***@collector/"


@pytest.mark.parametrize("text", ["://" * 50_000, "a://b@" * 20_000, "a" * 200_000, "a='" * 60_000, "?a&" * 60_000])
def test_masking_a_long_text_ends(text: str) -> None:
    """A pattern that is quadratic would take minutes for these."""
    assert isinstance(mask_credentials(text), str)


@pytest.mark.parametrize("variable", VARIABLES)
def test_no_setting_shows_a_secret(variable: str) -> None:
    """A value is either accepted and masked in the list, or refused without it."""
    shown = [_shown(variable, f"{scheme}://{shape}") for scheme in ("postgresql", "redis") for shape in SHAPES]
    assert all(variable in text for text in shown)
    assert not [text for text in shown if CANARY in text]


def _shown(variable: str, value: str) -> str:
    try:
        return str(describe(settings.load({variable: value})))
    except settings.BadSetting as refusal:
        return str(refusal)


def test_the_defaults_of_all_settings_are_shown() -> None:
    assert len(VARIABLES) == len(fields(settings.Settings))
    assert all(row[1] == row[2] for row in describe())


@pytest.mark.parametrize("headers", [CANARY, f"authorization: Bearer {CANARY}", f'a=b,x="{CANARY}"'])
def test_malformed_trace_headers_are_refused_without_their_value(headers: str) -> None:
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_EXPORTER_OTLP_HEADERS": headers}
    with pytest.raises(settings.BadSetting, match=r"^OTEL_EXPORTER_OTLP_HEADERS is not shown; it must be ") as refusal:
        settings.load(given)
    assert CANARY not in str(refusal.value)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "words", [("migrate",), ("keys", "list"), ("serve", "--port", "0"), ("settings",)], ids=" ".join
)
def test_no_command_shows_a_secret(sqlite: Shell, shape: str, words: tuple[str, ...]) -> None:
    url = f"postgresql://{shape}"
    for options, variables in ((("--database-url", url), {}), ((), {"MUSIC_STUDIO_DATABASE_URL": url})):
        if words != ("settings",) or not options:
            done = sqlite.run(*words, *options, **variables)
            assert words == ("settings",) or done.returncode == 1
            assert CANARY not in done.stdout + done.stderr


def test_settings_are_masked_in_every_form(sqlite: Shell) -> None:
    given = {
        "MUSIC_STUDIO_DATABASE_URL": f"postgresql://ida:se/{CANARY}@db/music?sslpassword={CANARY}",
        "MUSIC_STUDIO_DATABASE_READ_URL": f"postgresql://db/music?password={CANARY}",
        "MUSIC_STUDIO_RATE_LIMIT_STORAGE": f"redis://:{CANARY}@quotas/0",
        "MUSIC_STUDIO_KEY_PEPPER": CANARY * 2,
        "MUSIC_STUDIO_JWT_SECRET": CANARY * 2,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://ida:{CANARY}@collector",
    }
    for words in (("settings",), ("settings", "--json")):
        done = sqlite.run(*words, **given)
        assert done.returncode == 0, done.stderr
        assert CANARY not in done.stdout
        assert "ida:***@db" in done.stdout
    assert CANARY not in sqlite.on_terminal("settings", columns=200, **given)


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_log_line_shows_a_secret(form: str, capfd: pytest.CaptureFixture[str], restored_logs: None) -> None:
    writer = log_config.configure(form, "debug")
    for url in URLS:
        try:
            raise ValueError(f"invalid DSN {url!r}")
        except ValueError:
            structlog.get_logger("test").exception("it failed", url=url)
            logging.getLogger("driver").exception("cannot use %s", url)
    writer.drain()
    shown = capfd.readouterr().err
    assert shown.count("invalid DSN") >= 2 * len(URLS)
    assert CANARY not in shown


@pytest.fixture
def restored_logs() -> Iterator[None]:
    with log_settings.restored():
        yield


def test_control_characters_are_printed_escaped() -> None:
    shown = output.printable(f"a{CONTROL}b")
    assert shown.isprintable()
    assert shown.startswith(r"a\x1b]0;title\x07\r\n\x85\x9b31m\u202e\u2066\u2028\x7f")
    assert output.printable("Ünïcode 🎧 שלום 日本 👩‍🚀") == "Ünïcode 🎧 שלום 日本 👩‍🚀"


def test_import_and_list_print_one_line_for_each_file_and_track(sqlite: Shell, tmp_path: Path) -> None:
    sqlite.text("migrate")
    folder = tmp_path / "music"
    folder.mkdir()
    forged = f"x{CONTROL}".replace("/", "") + "\nskipped good.wav: damaged"
    Path(os.fsdecode(bytes(folder) + b"/" + forged.encode() + b"\xff")).write_text("no audio")
    who = ("--organization", "org_real", "--user", "ida")
    with connected(sqlite.url):
        organizations.join("org_real", "ida")
        tracks.add("org_real", "ida", title=f"Rain{CONTROL}", source_digest=b"1" * 32)
    imported, listed = sqlite.text("tracks", "import", str(folder), *who), sqlite.text("tracks", "list", *who[:2])
    for shown, lines in ((imported, 2), (listed, 2)):
        assert len(re.split("\r|\n|\x85|\u2028", shown)) == lines + 1
        assert "".join(shown.replace("\t", " ").split("\n")).isprintable()
    for words in (("tracks", "import", str(folder), *who), ("tracks", "list", *who[:2])):
        shown = sqlite.run(*words, "--json").stdout
        assert "".join(shown.split("\n")).isprintable()
        assert json.loads(shown)


def test_errors_and_usage_are_one_line(sqlite: Shell) -> None:
    sqlite.text("migrate")
    name = f"no{CONTROL}where"
    for words in (("keys", "pause", name), ("restore", name), (name,), ("serve", f"--{name}")):
        done = sqlite.run(*words)
        assert done.returncode in (1, 2)
        assert done.stderr.count("\n") == 1
        assert done.stderr.rstrip("\n").isprintable()


def test_a_table_on_a_terminal_has_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("TERM", "dumb")
    output.show(("title",), [{"title": f"Rain{CONTROL}"}], False)
    assert "".join(screen.getvalue().split("\n")).isprintable()


def test_the_traceback_of_a_fault_is_masked() -> None:
    fault = f"raise RuntimeError('invalid DSN postgresql://ida:{CANARY}@db\\x1b]0;a')"
    program = f"from cli import main, start\ndef fail(): {fault}\nmain.cli = fail\nstart.main()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "invalid DSN postgresql://ida:***@db" in done.stderr
    assert CANARY not in done.stderr
    assert "\x1b" not in done.stderr
