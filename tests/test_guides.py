"""The guides: their requests get the answers that they show, and their facts are those of the contract."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import app
from docsite.guides import guides
from docsite.operations import operations
from mock.accounts import SECRETS
from ops.demo_shares import TOKEN
from settings import Settings
from tools.clients import libraries_page
from tools.clients.generators import LANGUAGES
from tools.testing.thread_server import serving
from web.contract import document as contract

HOME = "/docs/api-reference/music"
OPERATIONS = operations(contract.document())
GUIDES = [guide.slug for guide in guides({operation.id for operation in OPERATIONS})]
FENCE = re.compile(r"^```(\w+)(?: (.*))?\n([\s\S]*?)\n```$", re.MULTILINE)
WITH_REQUESTS = [slug for slug in GUIDES if slug not in ("compatibility", "rate-limits", "testing")]
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
# What a reader fills in from an answer before.
VARIABLES = {"MUSIC_STUDIO_API_KEY": SECRETS["alice"], "API_KEY": SECRETS["alice"], "TOKEN": TOKEN, "PATH": PATH}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(app.create_mock(Settings(rate_limit="off"))) as served:
        yield served


def _blocks(url: str, slug: str) -> list[tuple[str, str, str]]:
    """The language, the title and the text of each code block of a guide."""
    page = httpx.get(f"{url}{HOME}/{slug}.md", trust_env=False)
    assert page.status_code == 200
    return FENCE.findall(page.text)


def _send(command: str, variables: dict[str, str], folder: Path) -> tuple[str, str]:
    """The output and the status of the last curl of a block."""
    before, _, last = command.rpartition("curl ")
    done = subprocess.run(
        ["bash", "-ec", f"{before}curl -sS -w '\\n%{{http_code}}' {last}"],
        env=variables, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    output, _, status = done.stdout.rpartition("\n")
    return output, status


def _without_changing_fields(text: str) -> Any:
    return json.loads(re.sub(r'("trace_id"|"timestamp"): ?"[^"]*"', r'\1:""', text))


@pytest.mark.slow
@pytest.mark.parametrize("slug", WITH_REQUESTS)
def test_requests_of_a_guide_get_the_answers_that_it_shows(url: str, slug: str, tmp_path: Path) -> None:
    blocks, variables = _blocks(url, slug), dict(VARIABLES)
    sent = 0
    for (language, _, text), (_, title, shown) in zip(blocks, [*blocks[1:], ("", "", "")], strict=True):
        if language != "sh" or "curl " not in text:
            continue
        command = re.sub("^export .*", "", text)
        output, status = _send(command, variables, tmp_path)
        expected = title[:3] if re.match("[1-5][0-9]{2} ", title) else "2"
        assert status.startswith(expected), f"{command}\n{output}"
        if shown.startswith("{") and expected != "2":
            assert _without_changing_fields(output) == _without_changing_fields(shown)
        elif expected != "2":
            assert all(line.lower() in output.lower() for line in shown.splitlines()[1:]), output
        if output.startswith("{") and "id" in json.loads(output):
            variables["SHARE_ID"] = json.loads(output)["id"]
        sent += 1
    assert sent or not any("curl " in text for language, _, text in blocks if language == "sh")


@pytest.mark.slow
@pytest.mark.parametrize("slug", ["paging", "conditional-requests", "errors-and-retries"])
def test_programs_of_a_guide_run(url: str, slug: str, tmp_path: Path) -> None:
    collection = f"{url}/v1/music/org_abc123/collections/mcoll_4a1f9c7e2b8d"
    calls = {
        "paging": "", "conditional-requests": f"print(change({collection!r}, lambda found: {{'description': 'Rain'}}))",
        "errors-and-retries": f"print(send('GET', {collection!r}, headers={{'X-API-Key': {SECRETS['alice']!r}}}).text)",
    }  # fmt: skip
    [program] = [text for language, _, text in _blocks(url, slug) if language == "python"]
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{calls[slug]}"], env=VARIABLES, cwd=tmp_path, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Focus Sessions" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("slug", ["paging", "errors-and-retries", "focus"])
def test_scripts_of_a_guide_are_valid(url: str, slug: str, tmp_path: Path) -> None:
    [script] = [text for language, _, text in _blocks(url, slug) if language == "javascript"]
    (tmp_path / "guide.mjs").write_text(script, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("node")), "--check", "guide.mjs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_guide_of_rate_limits_has_every_quota_of_the_contract(url: str) -> None:
    page = httpx.get(f"{url}{HOME}/rate-limits.md", trust_env=False).text
    quotas = contract.document()["x-rate-limits"]
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+)\sin\s(\d+)\ss \| (\w+) \| (.+) \|$", page, re.MULTILINE)
    assert [(n, int(r.replace(",", "")), int(s), p, d) for n, r, s, p, d in rows] == [
        (name, quota["requests"], quota["seconds"], quota["per"], quota["description"])
        for name, quota in quotas.items()
    ]
    for operation in OPERATIONS:
        assert f"]({HOME}/{operation.slug})" in page


def test_guide_of_paging_has_every_list_of_the_contract(url: str) -> None:
    page = httpx.get(f"{url}{HOME}/paging.md", trust_env=False).text
    lists = [operation for operation in OPERATIONS if "limit" in operation.parameter_names("query")]
    assert len(lists) > 1
    assert all(f"[{operation.summary}]({HOME}/{operation.slug})" in page for operation in lists)


def test_guide_of_the_clients_is_that_of_their_readmes() -> None:
    text = libraries_page.PAGE.read_text(encoding="utf-8")
    assert text == libraries_page.text(), "docsite/guides/libraries.md is outdated: run make generate"
    assert all(f"\n## {title}\n" in text for title in libraries_page.TITLES.values())
    assert set(libraries_page.TITLES) == set(LANGUAGES)


@pytest.mark.slow
def test_schemathesis_run_as_the_guide_says_finds_nothing(url: str, tmp_path: Path) -> None:
    [words] = [text for language, _, text in _blocks(url, "testing") if language == "sh" and "st run" in text]
    command = words.replace("pip install schemathesis\n", "")
    assert command != words
    done = subprocess.run(
        ["bash", "-ec", command], env=VARIABLES | {"HOME": str(tmp_path)}, cwd=tmp_path, capture_output=True,
        text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    tested = re.search(r"Tested: (\d+)", done.stdout)
    assert tested is not None
    assert int(tested[1]) == len(OPERATIONS) - 1  # it does not ask for the document that it reads


def test_guide_of_testing_shows_the_file_that_it_names(url: str) -> None:
    [shown] = [text for language, _, text in _blocks(url, "testing") if language == "toml"]
    assert httpx.get(f"{url}/docs/schemathesis.toml", trust_env=False).text.strip() == shown.strip()
