"""`music-studio call`: any operation of the contract from the command line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
from mock.accounts import SECRETS
from ops import demo
from settings import Settings
from tools.testing.cli_runner import Shell
from tools.testing.thread_server import serving

ORGANIZATION = f"organization_id={demo.ORGANIZATION}"
KEY = {"MUSIC_STUDIO_API_KEY": SECRETS["alice"]}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(app.create_mock(Settings(rate_limit="off"))) as served:
        yield served


def test_an_operation_is_called_with_parameters_and_fields(sqlite: Shell, url: str) -> None:
    call = ("call", "--server", url)
    made = json.loads(sqlite.run(*call, "create_collection", ORGANIZATION, "name=Mine", **KEY).stdout)
    assert (made["name"], made["description"]) == ("Mine", None)
    place = (ORGANIZATION, f"collection_id={made['id']}")
    changed = sqlite.run(*call, "update_collection", *place, "name=10", "description=null", **KEY)
    assert (changed.returncode, "422 VALIDATION_ERROR" in changed.stderr) == (1, True)
    changed = sqlite.run(*call, "update_collection", *place, 'name="10"', **KEY)
    assert json.loads(changed.stdout)["name"] == "10"
    page = json.loads(sqlite.run(*call, "list_collections", ORGANIZATION, "limit=1", **KEY).stdout)
    assert (page["limit"], len(page["items"])) == (1, 1)


def test_json_has_status_and_headers(sqlite: Shell, url: str) -> None:
    words = ("call", "--server", url, "get_collection", ORGANIZATION, f"collection_id={demo.COLLECTION}", "--json")
    shown = json.loads(sqlite.run(*words, **KEY).stdout)
    assert (shown["status"], shown["body"]["name"]) == (200, "Focus Sessions")
    assert "etag" in shown["headers"]


def test_an_error_of_the_server_is_a_sentence_and_a_status(sqlite: Shell, url: str) -> None:
    words = ("call", "--server", url, "get_collection", ORGANIZATION, "collection_id=a/b")
    done = sqlite.run(*words, **KEY)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "ENDPOINT_NOT_FOUND"
    assert done.stderr.startswith("music-studio: The server answered 404 ENDPOINT_NOT_FOUND: ")
    refused = sqlite.run("call", "--server", url, "get_usage", ORGANIZATION)
    assert "401 AUTHENTICATION_REQUIRED" in refused.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("get_nothing",), "There is no operation get_nothing: the contract has add_collection_track, "),
        (("get_collection", ORGANIZATION), "get_collection needs collection_id."),
        (("get_collection", ORGANIZATION, "collection_id=a", "colour=red"), "get_collection has no colour: it has "),
        (("get_usage", "org_abc123"), "org_abc123 is no NAME=VALUE."),
        (("get_liveness", "--server", "http://127.0.0.1:1"), "The server at http://127.0.0.1:1 does not answer: "),
    ],
)
def test_wrong_words_are_named(sqlite: Shell, words: tuple[str, ...], message: str) -> None:
    assert message in sqlite.error("call", *words)


def test_the_content_goes_into_a_new_file(sqlite: Shell, url: str, tmp_path: Path) -> None:
    file = tmp_path / "contract.json"
    words = ("call", "--server", url, "get_openapi_json", "--output", str(file))
    assert sqlite.run(*words).stdout == ""
    assert json.loads(file.read_bytes())["openapi"] == "3.0.3"
    assert "File exists" in sqlite.error(*words)


def test_operations_are_completed(sqlite: Shell) -> None:
    words = {"COMP_WORDS": "music-studio call get_coll", "COMP_CWORD": "2"}
    assert sqlite.run(_MUSIC_STUDIO_COMPLETE="complete_bash", **words).stdout == "get_collection\n"
