"""The programs in the README of each client are compiled, and run against the service with the demo."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.clients.languages import LANGUAGES, Language, succeed
from tests.clients.readmes import RUNNERS, blocks
from tools.clients import generators
from tools.clients.generators import OWN, ROOT
from tools.testing.service import Services

DOCUMENT = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
EVERY_RUNNER = pytest.mark.parametrize("language", [LANGUAGES[name] for name in RUNNERS], ids=RUNNERS)
EVERY_OWN = pytest.mark.parametrize("language", [LANGUAGES[name] for name in OWN], ids=OWN)
NOT_COUNTED = re.compile(r"\s*$|\s*[})]+;?$|(import|from|use|package)\b|\t\"|\tstudio \"")
LONGEST_PROGRAM = 30
"""Lines, without imports, braces and blank lines."""


class Demo(NamedTuple):
    """The service with the demo: its address, and a key of alice."""

    url: str
    key: str


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    services = Services(tmp_path)
    server = services.start(services.fresh_database("sqlite"))
    yield Demo(server.url, server.load_demo()["alice"])
    services.close()


def test_every_client_has_a_readme_that_runs() -> None:
    assert set(RUNNERS) == set(generators.LANGUAGES)


@EVERY_OWN
def test_whole_program_runs(language: Language, demo: Demo) -> None:
    program = blocks(language.name)[0]
    lines = [line for line in program.splitlines() if not NOT_COUNTED.match(line)]
    assert len(lines) <= LONGEST_PROGRAM
    output = _output(language, program, demo)
    for told in ("Focus Sessions", "description:", "kept: Later Nights", "RESOURCE_NOT_FOUND", "mcoll_000000000000"):
        assert told in output, output


@EVERY_RUNNER
def test_short_programs_run(language: Language, demo: Demo) -> None:
    short = blocks(language.name)[1]
    assert len(short) >= 7
    output = _output(language, RUNNERS[language.name].joined(short), demo)
    for told in ("Focus Sessions", "/name", "mcoll_000000000000", "unchanged"):
        assert told in output, output


@EVERY_OWN
def test_whole_program_is_in_the_document(language: Language) -> None:
    runner, program = RUNNERS[language.name], blocks(language.name)[0]
    assert f"```{runner.fence}\n{program}```" in DOCUMENT, "docs/clients.md has another program than the README."


def _output(language: Language, source: str, demo: Demo) -> str:
    """What a program prints; it is built beside the compiled client. Its end must be a success."""
    language.require_built()
    runner = RUNNERS[language.name]
    file = language.home / runner.file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source, encoding="utf-8")
    environment = os.environ | {"MUSIC_STUDIO_URL": demo.url, "MUSIC_STUDIO_API_KEY": demo.key}
    output = ""
    for command in (*runner.build, runner.run):
        done = succeed(command, language.home, environment, 300)
        output = f"{done.stdout}{done.stderr}"
    return output
