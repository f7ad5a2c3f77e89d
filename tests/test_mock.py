"""The mock: `Prefer`, examples of unimplemented operations, fixed keys, and no stored rows."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

import app
from mock.accounts import SECRETS
from ops import demo, demo_jobs, demo_shares
from settings import Settings
from tools.testing import small_service
from tools.testing.service import NO_TRACK, ROOT, Actors, assert_envelope, new_collection, operations, resolved
from tools.testing.thread_server import serving
from web.contract.reading import OperationObject

PLAYLISTS = {"items": [{"id": "mplay_4a1f9c7e2b8d", "name": "Sunday"}]}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(app.create_mock(Settings(rate_limit="off"))) as served:
        yield served


@pytest.fixture
def alice(url: str) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": SECRETS["alice"]}
    with httpx.Client(base_url=f"{url}/v1/music/{demo.ORGANIZATION}/", headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def collection(alice: httpx.Client) -> dict[str, Any]:
    return new_collection(alice)


class Terminal:
    """Output and URL of a `music-studio mock` process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.printed = ""
        for line in process.stdout or ():
            self.printed += line
            if found := re.search(r"listens on (http://\S+)", line):
                self.url = found[1]
                return
        raise AssertionError(f"the mock did not start:\n{self.printed}")


@contextmanager
def mock_process(folder: Path, *words: str, **settings: str) -> Iterator[Terminal]:
    command = [sys.executable, "-m", "cli", "mock", "--port", "0", *words]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    chosen = {f"MUSIC_STUDIO_{name}": value for name, value in {"LOG_LEVEL": "error", **settings}.items()}
    with subprocess.Popen(command, cwd=folder, env={"PYTHONPATH": str(ROOT), **chosen}, **pipes) as process:
        try:
            yield Terminal(process)
        finally:
            process.terminate()
    assert process.returncode == 0


@pytest.mark.slow
def test_mock_prints_working_curl_commands_and_writes_no_file(tmp_path: Path) -> None:
    with mock_process(tmp_path) as terminal:
        tries = re.findall(r'curl -H "X-API-Key: (msk_\w+)".* (http://\S+)$', terminal.printed, re.MULTILINE)
        assert len(tries) == 2
        for secret, url in tries:
            shown = httpx.get(url, headers={"X-API-Key": secret})
            assert (shown.status_code, shown.json()["name"], shown.json()["track_count"]) == (200, "Focus Sessions", 12)
        keys = re.findall(r"(alice|bob|mallory) +(org_\w+) +(msk_\w+)", terminal.printed)
        assert [name for name, _, _ in keys] == ["alice", "bob", "mallory"]
        for _, organization, secret in keys:
            collections = f"{terminal.url}/v1/music/{organization}/collections"
            assert httpx.get(collections, headers={"X-API-Key": secret}).status_code == 200
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_mock_has_fixed_keys_and_discards_rows(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with mock_process(tmp_path, "--json") as terminal:
            printed = json.loads(terminal.printed[: terminal.printed.rindex("}") + 1])
            collections = f"{printed['url']}/v1/music/{printed['organization_id']}/collections"
            headers = {"X-API-Key": printed["users"]["alice"]["api_key"]}
            seen.append(
                (printed["users"], [row["id"] for row in httpx.get(collections, headers=headers).json()["items"]])
            )
            assert httpx.post(collections, headers=headers, json={"name": "Kept?"}).status_code == 201
    assert seen[0] == seen[1]
    assert seen[0][1] == [demo.COLLECTION]


@pytest.mark.slow
def test_unimplemented_operation_returns_its_example(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "openapi", tmp_path / "openapi")
    (tmp_path / "openapi" / "paths" / "playlists.yaml").write_text(yaml.safe_dump(_playlists()), encoding="utf-8")
    index = tmp_path / "openapi" / "openapi.yaml"
    text = index.read_text(encoding="utf-8")
    path = "\npaths:\n  /music/{organization_id}/playlists: {$ref: paths/playlists.yaml#/playlists}"
    index.write_text(text.replace("\npaths:", path, 1), encoding="utf-8")
    with ExitStack() as clients, mock_process(tmp_path, CONTRACT=str(index)) as terminal:
        key = re.search(r"alice +\w+ +(msk_\w+)", terminal.printed)
        assert key is not None
        client = clients.enter_context(httpx.Client(base_url=f"{terminal.url}/v1/music/org_abc123/"))
        assert_envelope(client.get("playlists"), "AUTHENTICATION_REQUIRED")
        client.headers["X-API-Key"] = key[1]
        listed = client.get("playlists")
        assert (listed.status_code, listed.json()) == (200, PLAYLISTS)
        emptied = client.delete("playlists")
        assert (emptied.status_code, emptied.json()) == (202, PLAYLISTS)
        assert_envelope(client.get("playlists", headers={"Prefer": "code=503"}), "SERVICE_UNAVAILABLE")
        assert_envelope(client.get("playlists?x=1"), "VALIDATION_ERROR")
        assert "list_playlists" in httpx.get(f"{terminal.url}/v1/openapi.json").text
        assert client.get("collections").status_code == 200


each_operation = pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.id)


@each_operation
def test_prefer_selects_every_documented_example(
    alice: httpx.Client, ids: dict[str, str], operation: OperationObject
) -> None:
    for status, name, value in _examples(operation):
        response = _send_with_prefer(alice, operation, ids, f"code={status}, example={name}")
        assert (response.status_code, response.headers["Preference-Applied"]) == (
            status,
            f"code={status}, example={name}",
        )
        if status < 400:
            assert response.json() == value
            continue
        error = assert_envelope(response, value["error"]["code"])
        assert (error["system_message"], error["details"]) == (
            value["error"]["system_message"],
            value["error"]["details"],
        )


@each_operation
def test_preferred_response_has_the_documented_headers(
    alice: httpx.Client, ids: dict[str, str], operation: OperationObject
) -> None:
    for status, node in operation.node["responses"].items():
        response = _send_with_prefer(alice, operation, ids, f"code={status}")
        assert (response.status_code, response.headers["Preference-Applied"]) == (int(status), f"code={status}")
        documented = {header.lower() for header in resolved(node).get("headers", {})}
        for header in ("allow", "accept-post", "accept-patch", "retry-after", "www-authenticate", "etag", "location"):
            assert (header in response.headers) == (header in documented), f"{status} and {header}"


def _playlists() -> dict[str, Any]:
    """The path of a new tag, derived from the collections."""
    collections = yaml.safe_load((ROOT / "openapi" / "paths" / "collections.yaml").read_text(encoding="utf-8"))[
        "collections"
    ]
    listing = collections["get"] | {"operationId": "list_playlists", "tags": ["playlists"], "x-related": []}
    shown = {"schema": {"type": "object"}, "example": PLAYLISTS}
    found = {"description": "The playlists.", "content": {"application/json": shown}}
    others = {status: node for status, node in listing["responses"].items() if status != "200"}
    emptying = listing | {"operationId": "delete_playlists", "x-scope": "music:write"}
    return {
        "playlists": {
            "parameters": collections["parameters"],
            "get": listing | {"responses": others | {"200": found}},
            "delete": emptying | {"responses": others | {"202": found}},
        }
    }


def _examples(operation: OperationObject) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Status, name and value of each named response example."""
    for status, node in operation.node["responses"].items():
        for media in resolved(node).get("content", {}).values():
            for name, example in media.get("examples", {}).items():
                yield int(status), name, resolved(example)["value"]


def test_preferred_response_has_no_side_effects(alice: httpx.Client, collection: dict[str, Any]) -> None:
    before = alice.get("collections").json()
    for code in (201, 503):
        key = {"Idempotency-Key": f"asked-{code}", "Prefer": f"code={code}"}
        assert alice.post("collections", json={"name": "Not made"}, headers=key).status_code == code
        assert alice.delete(f"collections/{collection['id']}", headers={"Prefer": "code=412"}).status_code == 412
    assert alice.get("collections").json() == before
    made = alice.post("collections", json={"name": "Made"}, headers={"Idempotency-Key": "asked-503"})
    assert (made.status_code, "Idempotent-Replayed" in made.headers) == (201, False)


@pytest.mark.parametrize(
    ("prefer", "status", "applied"),
    [
        ("code=503", 503, "code=503"),
        ("code=418", 200, None),
        ("code=abc", 200, None),
        ("code", 200, None),
        ("example=api_key_paused", 401, "example=api_key_paused"),
        ("example=nothing", 200, None),
        ("code=403, example=api_key_paused", 200, None),
        ("code=404, code=503", 404, "code=404"),
        ('Code="503"', 503, "code=503"),
        ("respond-async, code=503; foo=bar, wait=10", 503, "code=503"),
        ('foo="a, code=503"', 200, None),
        ("delay=1", 200, "delay=1"),
        ("delay=10001", 200, None),
        ("delay=-1", 200, None),
        ("delay=1, code=503", 503, "code=503, delay=1"),
        ("", 200, None),
    ],
)
def test_prefer_is_parsed_per_rfc_7240(alice: httpx.Client, prefer: str, status: int, applied: str | None) -> None:
    response = alice.get("collections", headers={"Prefer": prefer})
    assert (response.status_code, response.headers.get("Preference-Applied")) == (status, applied)


def test_multiple_prefer_fields_are_combined(alice: httpx.Client) -> None:
    response = alice.get("collections", headers=[("Prefer", "delay=1"), ("Prefer", "code=503")])
    assert (response.status_code, response.headers["Preference-Applied"]) == (503, "code=503, delay=1")


def test_prefer_does_not_bypass_validation_or_authentication(alice: httpx.Client) -> None:
    prefer = {"Prefer": "code=200, delay=1"}
    wrong = alice.get("collections?limit=0", headers=prefer)
    assert_envelope(wrong, "VALIDATION_ERROR")
    assert wrong.headers["Preference-Applied"] == "delay=1"
    del alice.headers["X-API-Key"]
    assert_envelope(alice.get("collections", headers=prefer), "AUTHENTICATION_REQUIRED")


def test_service_ignores_mock_preferences(actors: Actors) -> None:
    alice = actors.service.client(actors.secrets["alice"])
    made = alice.post("collections", json={"name": "Made"}, headers={"Prefer": "code=503, delay=1"})
    assert (made.status_code, made.json()["name"], "Preference-Applied" in made.headers) == (201, "Made", False)
    shown = alice.get("collections", headers={"Prefer": "example=api_key_paused"})
    assert (shown.status_code, "Preference-Applied" in shown.headers) == (200, False)


@pytest.fixture
def ids(alice: httpx.Client, collection: dict[str, Any]) -> dict[str, str]:
    session = alice.post("focus/sessions", json={"goal": "relax", "target_minutes": 2}).json()["session_id"]
    made = {"collection_id": collection["id"], "track_id": NO_TRACK, "file": f"{NO_TRACK}.mp3"}
    link = {"share_id": demo_shares.COLLECTION_LINK, "token": demo_shares.TOKEN, "position": "1"}
    own = {"job_id": demo_jobs.MADE, "session_id": session}
    return {"organization_id": demo.ORGANIZATION, **own, **link, **made}


def _send_with_prefer(
    client: httpx.Client, operation: OperationObject, ids: dict[str, str], prefer: str
) -> httpx.Response:
    """The response to a valid request of that operation with a `Prefer` header."""
    content = operation.node.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = [example["value"] for example in content.get("examples", {}).values()]
    body = {"json": examples[0] if examples else content["example"]} if content else {}
    url = client.base_url.copy_with(path=operation.path.format(**ids))
    required = {node["name"]: node["example"] for node in operation.parameters_in("query") if node.get("required")}
    return client.request(operation.method, url, params=required, headers={"Prefer": prefer}, **body)


def test_example_of_text_is_sent_as_text(tmp_path: Path) -> None:
    media_type = {"schema": {"type": "string"}, "example": "a,b\n1,2\n"}
    as_csv = {"description": "A table.", "content": {"text/csv": media_type}}
    empty = {"description": "Nothing."}
    paths = {
        "/table": {"get": small_service.operation("get_table", {"200": as_csv})},
        "/empty": {"post": small_service.operation("do_empty", {"204": empty})},
    }
    file = small_service.write(tmp_path, small_service.document(paths))
    with serving(app.create_mock(Settings(contract=str(file), rate_limit="off"))) as url:
        headers = {"X-API-Key": SECRETS["alice"]}
        table = httpx.get(f"{url}/v1/table", headers=headers, trust_env=False)
        nothing = httpx.post(f"{url}/v1/empty", headers=headers, trust_env=False)
    assert (table.headers["Content-Type"], table.text) == ("text/csv", "a,b\n1,2\n")
    assert (nothing.status_code, nothing.content) == (204, b"")


@pytest.mark.slow
def test_a_job_moves_through_its_states_and_ends_with_a_tone(alice: httpx.Client, url: str) -> None:
    asked = alice.post("generations", json={"engine": "drift", "prompt": "dawn", "duration_seconds": 60})
    place, seen, progress = f"generations/{asked.json()['id']}", [asked.json()["status"]], 0
    deadline = time.monotonic() + 60
    while seen[-1] != "succeeded" and time.monotonic() < deadline:
        job = alice.get(place).json()
        assert job["progress"] >= progress
        progress = job["progress"]
        seen += [job["status"]] if job["status"] != seen[-1] else []
        time.sleep(0.1)
    assert seen == ["queued", "running", "succeeded"]
    assert job["track"]["playback_url"].startswith(f"{url}/v1/music/audio/{job['result_track_id']}.wav?")
    played = httpx.get(job["playback_url"], trust_env=False)
    assert (played.status_code, played.headers["Content-Type"], played.content[:4]) == (200, "audio/wav", b"RIFF")
    assert alice.post(f"{place}/cancel").json()["status"] == "succeeded"


def test_a_job_of_the_mock_can_be_cancelled(alice: httpx.Client) -> None:
    asked = alice.post("generations", json={"engine": "studio", "prompt": "dusk", "duration_seconds": 60}).json()
    assert alice.post(f"generations/{asked['id']}/cancel").json()["status"] == "cancelled"
    assert alice.get(f"generations/{asked['id']}").json()["track"] is None


@pytest.mark.slow
def test_the_segments_of_a_session_come_as_time_passes(alice: httpx.Client, url: str) -> None:
    asked = {"goal": "focus", "target_minutes": 30}
    started = alice.post("focus/sessions", json=asked).json()
    place, seen = f"focus/sessions/{started['session_id']}", [started["ready_count"]]
    deadline = time.monotonic() + 60
    while seen[-1] < 2 and time.monotonic() < deadline:
        session = alice.get(place).json()
        seen += [session["ready_count"]] if session["ready_count"] != seen[-1] else []
        time.sleep(0.1)
    assert seen == [0, 1, 2]
    first = session["segments"][0]
    assert first["playback_url"].startswith(f"{url}/v1/music/audio/{started['session_id']}-0.wav?")
    played = httpx.get(first["playback_url"], trust_env=False)
    assert (played.status_code, played.headers["Content-Type"], played.content[:4]) == (200, "audio/wav", b"RIFF")
    ended = alice.post(f"{place}/end").json()
    assert (ended["status"], ended["more_pending"]) == ("ended", False)
