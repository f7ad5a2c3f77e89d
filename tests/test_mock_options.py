"""The mock for front-end developers: CORS, strict preferences, generated bodies, failures, own data, reset."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import app
from mock.accounts import SECRETS
from mock.options import MockOptions
from ops import demo
from ops.errors import CommandError
from settings import Settings
from tools.testing.cli_runner import Shell
from tools.testing.service import ROOT, assert_envelope, operations
from tools.testing.thread_server import serving
from web.http.cors import ADDED

ELSEWHERE = "http://127.0.0.1:5173"
ANA = {"organization_id": "org_acme", "user_id": "ana"}
TRACK, OTHER_TRACK, COLLECTION = "mtrack_000000000001", "mtrack_000000000002", "mcoll_000000000001"
DATA: dict[str, Any] = {
    "users": [
        {
            **ANA,
            "tracks": [{"id": TRACK, "title": "Dawn", "duration_seconds": 3}, {"id": OTHER_TRACK, "mode": "focus"}],
            "collections": [
                {
                    "id": COLLECTION,
                    "name": "Mornings",
                    "cover_track_id": TRACK,
                    "track_ids": [OTHER_TRACK, TRACK],
                    "created_at": "2026-01-02T03:04:05Z",
                }
            ],
        },
        {"organization_id": "org_acme", "user_id": "ben", "scopes": ["music:read"], "api_key": SECRETS["bob"]},
    ]
}


@contextmanager
def mocking(options: MockOptions | None = None, **settings: Any) -> Iterator[httpx.Client]:
    """A client of a mock with alice's key; paths are those below /v1/music/{organization_id}/."""
    created = app.create_mock(Settings(**{"rate_limit": "off", **settings}), options or MockOptions())
    first = created.contents.accounts[0]
    with serving(created) as url:
        base, headers = f"{url}/v1/music/{first.organization_id}/", {"X-API-Key": first.secret}
        with httpx.Client(base_url=base, headers=headers, trust_env=False) as client:
            yield client


@pytest.fixture(scope="module")
def alice() -> Iterator[httpx.Client]:
    with mocking() as client:
        yield client


def _absolute(client: httpx.Client, path: str) -> httpx.URL:
    return client.base_url.copy_with(path=path)


def _exposed(response: httpx.Response) -> set[str]:
    return set(response.headers["Access-Control-Expose-Headers"].split(", "))


def test_a_page_of_any_origin_may_call_the_mock(alice: httpx.Client) -> None:
    asked = {"Origin": ELSEWHERE, "Access-Control-Request-Method": "PATCH"}
    preflight = alice.options("collections/mcoll_4a1f9c7e2b8d", headers=asked)
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    allowed = set(preflight.headers["Access-Control-Allow-Headers"].lower().split(", "))
    assert allowed >= {"x-api-key", "authorization", "content-type", "prefer", "idempotency-key", "if-match"}
    shown = alice.get("collections", headers={"Origin": ELSEWHERE, "Prefer": "delay=1"})
    assert (shown.status_code, shown.headers["Access-Control-Allow-Origin"]) == (200, "*")
    documented = {name for o in operations() for node in o.by_status.values() for name in node.get("headers", {})}
    assert _exposed(shown) == documented | {*ADDED}
    assert "Preference-Applied" in ADDED
    refused = httpx.get(alice.base_url.join("collections"), headers={"Origin": "null"}, trust_env=False)
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "*")


def test_an_option_narrows_the_origins() -> None:
    with mocking(cors_origins=("https://app.example",)) as client:
        allowed = client.get("collections", headers={"Origin": "https://app.example"})
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example"
        refused = client.get("collections", headers={"Origin": ELSEWHERE})
        assert "Access-Control-Allow-Origin" not in refused.headers


@pytest.mark.parametrize(
    ("prefer", "reason"),
    [
        ("code=418", "code names no documented response of this operation"),
        ("example=nothing", "example names no documented response of this operation"),
        ("code=abc", "code must be a status"),
        ("delay=10001", "delay must be a number of milliseconds, at most 10000"),
        ("delay=-1", "delay must be a number of milliseconds, at most 10000"),
        ("wait=10", "wait is not known here"),
        ("respond-async", "respond-async is not known here"),
        ("dynamic=maybe", "dynamic must be true or false"),
        ("dynamic=true, code=404", "dynamic is for success responses in JSON, without an example"),
        ("=5", "Prefer has parts that are no preference"),
        ("server-timing", "server-timing is not known here"),
    ],
)
def test_strict_handling_tells_what_cannot_be_applied(alice: httpx.Client, prefer: str, reason: str) -> None:
    lenient = alice.get("collections", headers={"Prefer": prefer})
    assert lenient.status_code in (200, 404)
    strict = alice.get("collections", headers={"Prefer": f"handling=strict, {prefer}"})
    assert_envelope(strict, "VALIDATION_ERROR")
    assert strict.json()["error"]["details"]["errors"] == [
        {"pointer": "header/Prefer", "code": "unsupported", "message": reason}
    ]


def test_strict_handling_accepts_what_can_be_applied(alice: httpx.Client) -> None:
    response = alice.get("collections", headers={"Prefer": "handling=strict, code=503, delay=1"})
    assert (response.status_code, response.headers["Preference-Applied"]) == (503, "handling=strict, code=503, delay=1")
    wrong = alice.post("collections", json={"name": "Not made"}, headers={"Prefer": "handling=strict, wait=1"})
    assert wrong.status_code == 422
    assert "Not made" not in alice.get("collections").text


def test_strict_handling_knows_what_the_service_applies() -> None:
    with mocking(server_timing=True) as client:
        response = client.get("collections", headers={"Prefer": "handling=strict, server-timing"})
        assert (response.status_code, "Server-Timing" in response.headers) == (200, True)


DYNAMIC = {"Prefer": "dynamic=true, handling=strict"}


def test_generated_bodies_depend_on_seed_and_request_only() -> None:
    seen = []
    for seed in (7, 7, 8):
        with mocking(MockOptions(seed=seed)) as client:
            paths = ("collections", f"collections/{demo.COLLECTION}", "collections?limit=3", "collections")
            seen.append([client.get(path, headers=DYNAMIC).json() for path in paths])
    assert seen[0] == seen[1] != seen[2]
    listed, shown, short, again = seen[0]
    assert listed == again != short
    assert (shown["id"], short["limit"]) == (demo.COLLECTION, 3)
    assert shown["name"] != "Focus Sessions"


def test_generated_bodies_of_all_operations_are_valid(alice: httpx.Client) -> None:
    """The mock checks them: one that breaks the contract would be a 500."""
    generated = set()
    for operation in operations():
        ids = {name: "shr_" + "0" * 32 if name == "token" else "x1" for name in operation.path_names}
        path = operation.path.format(**ids | {"organization_id": demo.ORGANIZATION})
        body = (operation.body or {}).get("examples", {}) if operation.body else {}
        sent = next(iter(body.values()))["value"] if body else (operation.body or {}).get("example")
        required = {node["name"]: node["example"] for node in operation.parameters_in("query") if node.get("required")}
        kwargs: Any = {"json": sent} if operation.body else {}
        response = alice.request(operation.method, _absolute(alice, path), params=required, headers=DYNAMIC, **kwargs)
        assert response.status_code < 500, operation.id
        if response.is_success:
            assert "dynamic=true" in response.headers["Preference-Applied"]
            generated.add(operation.id)
    assert generated >= {"list_collections", "create_collection", "list_shares", "get_usage", "start_focus_session"}


def test_a_generated_body_has_the_values_of_the_request_and_changes_nothing(alice: httpx.Client) -> None:
    before = alice.get("collections").json()
    made = alice.post("collections", json={"name": "Mine"}, headers={"Prefer": "dynamic"})
    assert (made.status_code, made.json()["name"]) == (201, "Mine")
    assert made.headers["Location"].endswith(made.json()["id"])
    assert alice.get("collections").json() == before


def test_one_request_in_n_fails_and_a_seed_chooses_which() -> None:
    seen = []
    for seed in (1, 1, 2):
        with mocking(MockOptions(seed=seed, fail_one_in=4)) as client:
            seen.append([client.get("collections").status_code for _ in range(40)])
    assert seen[0] == seen[1] != seen[2]
    for statuses in seen:
        blocks = [statuses[start : start + 4] for start in range(0, 40, 4)]
        assert [sum(status >= 500 for status in block) for block in blocks] == [1] * 10
        assert set(statuses) == {200, 500, 503}


def test_a_failed_request_has_an_envelope_and_can_be_repeated_with_its_key() -> None:
    with mocking(MockOptions(fail_one_in=1)) as client:
        failed = client.get("collections")
        assert_envelope(failed, failed.json()["error"]["code"])
        assert failed.status_code in (500, 503)
        assert int(failed.headers["Retry-After"]) >= 0
    with mocking(MockOptions(fail_one_in=2)) as client:
        key = {"Idempotency-Key": "once"}
        made = [client.post("collections", json={"name": "Once"}, headers=key) for _ in range(2)]
        assert sorted(response.status_code >= 500 for response in made) == [False, True]
        listed = [client.get("collections") for _ in range(2)]
        names = [item["name"] for response in listed if response.is_success for item in response.json()["items"]]
        assert names.count("Once") == 1


def _written(folder: Path, data: object) -> Path:
    file = folder / "data.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


def test_the_mock_serves_the_data_of_a_file(tmp_path: Path) -> None:
    with mocking(MockOptions(data=_written(tmp_path, DATA))) as ana:
        [listed] = ana.get("collections").json()["items"]
        assert (listed["id"], listed["name"], listed["created_at"]) == (COLLECTION, "Mornings", "2026-01-02T03:04:05Z")
        shown = ana.get(f"collections/{COLLECTION}").json()
        assert (shown["track_count"], shown["cover_track_id"], shown["description"]) == (2, TRACK, None)
        members = ana.get(f"collections/{COLLECTION}/tracks").json()["items"]
        assert [(item["track_id"], item["position"]) for item in members] == [(OTHER_TRACK, 0), (TRACK, 1)]
        track = ana.get(f"tracks/{TRACK}").json()
        assert (track["title"], track["measured_duration_seconds"]) == ("Dawn", 3.0)
        assert httpx.get(track["playback_url"], trust_env=False).content[:4] == b"RIFF"
        assert {item["id"] for item in ana.get("tracks").json()["items"]} == {TRACK, OTHER_TRACK}
        ben = {"X-API-Key": SECRETS["bob"]}
        assert ana.get("collections", headers=ben).json()["items"] == []
        refused = ana.post("collections", json={"name": "Mine"}, headers=ben)
        assert_envelope(refused, "INSUFFICIENT_PERMISSIONS")


def test_keys_that_a_file_does_not_give_are_the_same_at_every_start(tmp_path: Path) -> None:
    file = _written(tmp_path, DATA)
    keys = [app.create_mock(Settings(), MockOptions(data=file)).contents.accounts[0].secret for _ in range(2)]
    assert keys[0] == keys[1] != SECRETS["alice"]


def _changed(**changes: Any) -> dict[str, Any]:
    return {"users": [{**DATA["users"][0], **changes}, DATA["users"][1]]}


def _collection(**changes: Any) -> dict[str, Any]:
    return _changed(collections=[DATA["users"][0]["collections"][0] | changes])


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ([], "/ must be of type object."),
        ({"users": []}, "/users must have at least 1 items."),
        (_changed(organization_id="acme"), "/users/0/organization_id has a form that is not allowed"),
        (_changed(colections=[]), "/users/0/colections is not a known field."),
        (_collection(name=""), "/users/0/collections/0/name must have at least 1 characters."),
        (_collection(created_at="today"), "/users/0/collections/0/created_at "),
        (_collection(track_ids=["mtrack_00000000000f"]), "names mtrack_00000000000f, which is no track of this user."),
        (_collection(cover_track_id="mtrack_00000000000f"), "/users/0/collections/0 names mtrack_00000000000f"),
        (_changed(tracks=[{"id": TRACK}, {"id": TRACK}, {"id": OTHER_TRACK}]), f"The track {TRACK} occurs 2 times."),
        (_changed(api_key="msk_" + "0" * 36), "/users/0/api_key is no key"),
        (_changed(user_id="ben"), "The user ben of org_acme occurs 2 times."),
        (_changed(tracks=[{"id": "x"} for _ in range(50)]), "... and "),
    ],
)
def test_unusable_data_are_refused_with_their_place(tmp_path: Path, data: object, line: str) -> None:
    with pytest.raises(CommandError) as refused:
        app.create_mock(Settings(), MockOptions(data=_written(tmp_path, data)))
    assert str(refused.value) == f"The data in {tmp_path / 'data.json'} cannot be used."
    assert any(line in text for text in refused.value.lines), refused.value.lines


def test_the_command_names_what_is_wrong_with_its_data(sqlite: Shell, tmp_path: Path) -> None:
    assert "no such file" in sqlite.error("mock", "--port", "0", "--data", str(tmp_path / "none.yaml")).lower()
    file = tmp_path / "data.yaml"
    file.write_text("users: [", encoding="utf-8")
    assert f"{file}, line 2:" in sqlite.error("mock", "--port", "0", "--data", str(file))
    done = sqlite.run("mock", "--port", "0", "--data", str(_written(tmp_path, {"users": []})))
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == ["/users must have at least 1 items."]


def test_the_example_of_the_manual_is_usable(tmp_path: Path) -> None:
    manual = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    example = manual.partition("## Mock\n")[2].partition("```yaml\n")[2].partition("```")[0]
    file = tmp_path / "data.yaml"
    file.write_text(example, encoding="utf-8")
    contents = app.create_mock(Settings(), MockOptions(data=file)).contents
    assert contents.collection_id is not None
    assert len(contents.accounts) == 2


def test_reset_returns_to_the_start() -> None:
    with mocking(MockOptions(fail_one_in=1000), rate_limit="1000/minute") as client:
        before = {
            path: client.get(path).json()
            for path in ("collections", "tracks", "generations", "focus/sessions", "usage")
        }
        track = client.get(f"tracks/{demo.TRACKS[0].track_id}").json()
        key = {"Idempotency-Key": "once"}
        first = client.post("collections", json={"name": "Mine"}, headers=key).json()["id"]
        client.delete(f"collections/{demo.COLLECTION}")
        client.delete(f"tracks/{demo.TRACKS[0].track_id}")
        client.post("generations", json={"engine": "drift", "prompt": "dawn", "duration_seconds": 60})
        client.post("focus/sessions", json={"goal": "relax", "target_minutes": 2})
        left = int(client.get("collections").headers["X-RateLimit-Remaining"])
        reset = client.post(_absolute(client, "/_mock/reset"), headers={"Origin": ELSEWHERE})
        assert (reset.status_code, reset.json()["success"]) == (200, True)
        assert reset.headers["Access-Control-Allow-Origin"] == "*"
        again = client.get("collections")
        assert int(again.headers["X-RateLimit-Remaining"]) > left
        assert {path: client.get(path).json() for path in before} == before
        assert client.get(f"tracks/{demo.TRACKS[0].track_id}").json().keys() == track.keys()
        repeated = client.post("collections", json={"name": "Mine"}, headers=key)
        assert (repeated.status_code, "Idempotent-Replayed" in repeated.headers) == (201, False)
        assert repeated.json()["id"] != first


def test_reset_begins_the_failures_again() -> None:
    with mocking(MockOptions(fail_one_in=7)) as client:
        runs = []
        for _ in range(2):
            runs.append([client.get("collections").status_code for _ in range(20)])
            client.post(_absolute(client, "/_mock/reset"))
    assert runs[0] == runs[1]


def test_only_post_resets_and_only_the_mock_has_a_reset(alice: httpx.Client) -> None:
    path = _absolute(alice, "/_mock/reset")
    refused = alice.get(path)
    assert_envelope(refused, "METHOD_NOT_ALLOWED")
    assert refused.headers["Allow"] == "OPTIONS, POST"
    asked = {"Origin": ELSEWHERE, "Access-Control-Request-Method": "POST"}
    assert alice.options(path, headers=asked).headers["Access-Control-Allow-Methods"] == "OPTIONS, POST"
    assert_envelope(alice.post(_absolute(alice, "/_mock/nothing")), "ENDPOINT_NOT_FOUND")
    assert not [path for path in alice.get(_absolute(alice, "/v1/openapi.json")).json()["paths"] if "_mock" in path]
