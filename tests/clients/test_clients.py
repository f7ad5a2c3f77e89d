"""Every generated client compiles, passes the scenario on the live server and handles the misbehaving one."""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import PurePosixPath
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.clients import steps
from tests.clients.languages import JAVA_PATH, LANGUAGES, Language
from tests.clients.losing_proxy import LosingProxy
from tests.clients.misbehaving_server import ELSEWHERE, MisbehavingServer
from tools.clients import generators
from tools.clients.__main__ import write
from tools.clients.generators import DIST, ROOT
from tools.testing import probes
from tools.testing.service import HOME, Services
from web.contract import document as contract
from web.contract.reading import OperationObject, operations

TIMEOUT_SECONDS = 60
UNKEYED = ("save_track",)
OPERATIONS = list(operations(contract.document()))
EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)


class Driver:
    """A running driver process: one JSON line per request and per result."""

    def __init__(self, language: Language) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(language.run, cwd=language.home, stdin=pipe, stdout=pipe, text=True)

    def ask(self, step: dict[str, Any]) -> dict[str, Any]:
        """What the client does at a step."""
        return steps.answered(step, self.send(steps.asked(step)))

    def send(self, step: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(step) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the driver ended with status {self.process.wait(TIMEOUT_SECONDS)} at {step}"
        response: dict[str, Any] = json.loads(line)
        return response

    def close(self) -> None:
        with self.process:  # closes both pipes, and so ends the driver
            pass
        assert self.process.returncode == 0


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    started = Services(tmp_path_factory.mktemp("services"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def misbehaving() -> Iterator[MisbehavingServer]:
    server = MisbehavingServer()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def driver(language: Language) -> Iterator[Driver]:
    language.require_built()
    running = Driver(language)
    yield running
    running.close()


@EVERY_LANGUAGE
def test_client_compiles(language: Language) -> None:
    language.build()


@EVERY_LANGUAGE
def test_client_passes_the_scenario(language: Language, driver: Driver, services: Services) -> None:
    actors = services.actors("sqlite")
    user = f"user_{secrets.token_hex(8)}"  # without collections
    key, (first, second) = actors.service.key(user)[1], actors.service.make_tracks(2, creator=user)
    known = {"track_1": first, "track_2": second, "key_1": secrets.token_hex(8)}
    for step in steps.of("live", language):
        asked = _filled(step, known)
        common = {"url": f"{actors.service.url}/v1", "api_key": key, "organization": HOME, "timeout": 20, "retries": 0}
        response = driver.ask(common | asked)
        if "save" in step:
            known[step["save"]] = response.get("value", {}).get("id")
        if "save_etag" in step:
            known[step["save_etag"]] = response["etag"]
        _compare(asked, response)


@EVERY_LANGUAGE
def test_a_list_with_another_field_is_paged(driver: Driver, services: Services) -> None:
    """`jobs`, and not `items`."""
    service = services.actors("sqlite").service
    key = service.key(f"user_{secrets.token_hex(8)}")[1]
    body = {"engine": "studio", "prompt": "rain", "duration_seconds": 1}
    with service.client(key) as client:
        made = [client.post("generations", json=body).json()["id"] for _ in range(3)]
    step = {"do": "jobs", "limit": 1, "url": f"{service.url}/v1", "api_key": key, "organization": HOME}
    assert driver.ask(step | {"timeout": 20, "retries": 0}) == {"value": made[::-1]}


@EVERY_LANGUAGE
def test_client_handles_the_misbehaving_server(
    language: Language, driver: Driver, misbehaving: MisbehavingServer
) -> None:
    common = {
        "url": misbehaving.url,
        "api_key": "a-key",
        "collection": "mcoll_4a1f9c7e2b8d",
        "timeout": 20,
        "retries": 3,
    }
    for step in steps.of("misbehaving", language):
        misbehaving.reset()
        _compare(step, driver.ask(common | step))
        assert len(misbehaving.requests) == step["attempts"], f"{step['name']}: {misbehaving.requests}"
        assert not any(request.early for request in misbehaving.requests), (
            f"{step['name']}: sent before Retry-After had passed"
        )
        keys = {
            request.key
            for request in misbehaving.requests
            if request.method in ("POST", "PATCH") and step.get("operation") not in UNKEYED
        }
        assert None not in keys, f"{step['name']}: a change without Idempotency-Key"
        assert len(keys) <= 1, f"{step['name']}: another Idempotency-Key on another attempt"
        _require_no_key_elsewhere(misbehaving, step["name"])
        assert {request.agent for request in misbehaving.requests} == {language.agent()}, misbehaving.requests


def _require_no_key_elsewhere(misbehaving: MisbehavingServer, name: str) -> None:
    away = [request for request in misbehaving.requests if request.host == ELSEWHERE]
    assert not any(request.credential for request in away), f"{name}: the key went to another host"


NOT_DRIVEN = """The driver of {} does not get a success of these operations of the contract: {}.
For a new operation, put its valid body into PROBES and the ids of its path into `scene` of tools/testing/probes.py,
and run `make clients`. If only this client fails, mend its templates in tools/clients/. The responses: {}"""


EMPTY = {"bytes": 0}


@EVERY_LANGUAGE
def test_client_drives_every_operation(language: Language, driver: Driver, services: Services) -> None:
    actors = services.actors("sqlite")
    scene = probes.scene(actors.service, actors.service.client(actors.secrets["alice"]))
    arguments = scene.ids | _audio(scene)
    common = {"url": actors.service.url, "api_key": actors.secrets["alice"], "timeout": 20, "retries": 0}
    responses = {}
    for operation in sorted(OPERATIONS, key=_lateness):
        if operation.id in language.operations():
            other = {"track_id": arguments["other_track_id"]} if operation.id in ON_OTHER_TRACK else {}
            known = arguments | other
            step = {"operation": operation.id, "body": probes.filled(probes.PROBES.get(operation.id), known)}
            responses[operation.id] = driver.send(common | step | {"arguments": known})
    driven = {operation.id for operation in OPERATIONS if _is_success(operation, responses.get(operation.id, {}))}
    missing = language.operations() - driven
    assert not missing, NOT_DRIVEN.format(language.name, missing, {name: responses.get(name) for name in missing})


def _is_success(operation: OperationObject, response: dict[str, Any]) -> bool:
    """Whether it has a value, all of it, and a documented status; the client goes where a redirect leads."""
    led = {200} if 303 in operation.by_status else set()
    return response.get("value", EMPTY) != EMPTY and response.get("status") in {*operation.by_status, *led} - {303, 304}


ON_OTHER_TRACK = ("delete_track",)


def _lateness(operation: OperationObject) -> tuple[bool, int]:
    """Reading goes first; what ends or deletes something goes last, and the longest path before the others."""
    deletes = operation.method == "DELETE" or operation.id in ("end_focus_session", "cancel_generation")
    return deletes, -len(operation.path) if deletes else operation.method != "GET"


def _audio(scene: probes.Scene) -> dict[str, Any]:
    """The arguments of the operations that play: the track of the scene gets audio."""
    scene.service.give_audio(scene.ids["track_id"], b"music" * 1000)
    address = urlsplit(scene.alice.get(f"tracks/{scene.ids['track_id']}").json()["playback_url"])
    seal = parse_qs(address.query)["sig"][0]
    return {"file": PurePosixPath(address.path).name, "sig": seal, "position": "1"}


@EVERY_LANGUAGE
def test_a_lost_response_of_a_change_is_replayed_by_its_key(driver: Driver, services: Services) -> None:
    """Without the key of the first attempt, the second one would say 412 and 404."""
    actors = services.actors("sqlite")
    with actors.service.client(actors.secrets["alice"]) as client, LosingProxy(actors.service.url) as proxy:
        response = client.post("collections", json={"name": "Lost"})
        made = {"organization_id": HOME, "collection_id": response.json()["id"]}
        common = {"url": proxy.url, "api_key": actors.secrets["alice"], "timeout": 20, "retries": 2}
        change = {"operation": "update_collection", "arguments": made | {"If-Match": response.headers["ETag"]}}
        changed = driver.send(common | change | {"body": {"name": "Found"}})
        assert changed.get("value", {}).get("name") == "Found", changed
        deleted = driver.send(common | {"operation": "delete_collection", "arguments": made})
        assert deleted.get("value", {}).get("id") == made["collection_id"], deleted
        assert proxy.lost == ["PATCH", "DELETE"]


@EVERY_LANGUAGE
def test_an_error_tells_its_code_and_its_request(driver: Driver, services: Services) -> None:
    service = services.actors("sqlite").service
    step = {"url": service.url, "api_key": "not-a-key", "timeout": 20, "retries": 0}
    error = driver.send(step | {"operation": "get_usage", "arguments": {"organization_id": HOME}})["error"]
    assert "AUTHENTICATION_REQUIRED" in error["told"]
    assert error["request_id"].startswith("req_")
    assert error["request_id"] in error["told"]


@EVERY_LANGUAGE
def test_an_unknown_field_is_refused_before_it_is_sent(driver: Driver, misbehaving: MisbehavingServer) -> None:
    """In the languages whose types are checked when the program runs."""
    misbehaving.reset()
    step = {
        "url": misbehaving.url,
        "api_key": "a",
        "timeout": 20,
        "retries": 0,
        "body": {"name": "a", "descripton": "b"},
    }
    response = driver.send(step | {"operation": "create_collection", "arguments": {"organization_id": "org_down"}})
    assert (response.get("failure") == "refused") == (not misbehaving.requests)


LED = """
import java.net.http.HttpClient;
import musicstudio.MusicStudio;

class Led {
  public static void main(String[] arguments) {
    var builder = MusicStudio.builder().httpClient(HttpClient.newHttpClient());
    try {
      builder.httpClient(HttpClient.newBuilder().followRedirects(HttpClient.Redirect.ALWAYS).build());
    } catch (IllegalArgumentException refused) {
      System.out.println("refused");
    }
  }
}
"""


def test_java_refuses_an_http_client_that_would_send_the_key_elsewhere() -> None:
    """All others can tell the HTTP library for each request; the JDK cannot."""
    language = LANGUAGES["java"]
    language.require_built()
    (language.home / "Led.java").write_text(LED, encoding="utf-8")
    done = subprocess.run(
        ["sh", "-c", f"java {JAVA_PATH} Led.java"], cwd=language.home, capture_output=True, text=True, check=True
    )
    assert done.stdout == "refused\n"


def test_every_client_has_a_driver() -> None:
    assert {language.client for language in LANGUAGES.values()} == set(generators.LANGUAGES), (
        "A language of tools/clients/ needs its row in tests/clients/languages.py and a driver."
    )


def test_generated_clients_are_reproducible() -> None:
    before = _digests()
    write(generators.LANGUAGES)
    after = _digests()
    different = sorted(name for name in before | after if before.get(name) != after.get(name))
    assert not different, f"Written twice, these differ: {different[:10]}"


def test_generated_clients_contain_no_local_paths_or_placeholders() -> None:
    strays = (str(ROOT), "GIT_REPO_ID", "GIT_USER_ID", "team@openapitools.org")
    files = [file for file in DIST.rglob("*") if file.is_file()]
    found = [file for file in files if any(stray in file.read_text(encoding="utf-8") for stray in strays)]
    assert files
    assert not found, f"Placeholders or local paths: {[str(file.relative_to(DIST)) for file in found]}"


def _digests() -> dict[str, str]:
    files = (file for file in DIST.rglob("*") if file.is_file())
    return {str(file.relative_to(DIST)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _filled(node: Any, known: dict[str, str]) -> Any:
    """The step with each `$name` replaced by its value."""
    if isinstance(node, dict):
        return {key: _filled(value, known) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(item, known) for item in node]
    return known[node[1:]] if isinstance(node, str) and node.startswith("$") else node


def _compare(step: dict[str, Any], response: dict[str, Any]) -> None:
    expected = step["expect"]
    kind = expected.get("error", {}).get("kind")
    if kind and "error" in response:
        assert response["error"].get("kind", "").removesuffix("Error").endswith(kind.removesuffix("Error")), response
        expected = {"error": {key: value for key, value in expected["error"].items() if key != "kind"}}
    if expected == {"failure": True}:
        assert response.get("failure"), f"{step['name']}: {response}"
    else:
        assert _part(expected, response), f"{step['name']}: expected {expected}, got {response}"


def _part(expected: Any, found: Any) -> bool:
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(key in found and _part(expected[key], found[key]) for key in expected)
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(_part, expected, found))
    return bool(expected == found)
