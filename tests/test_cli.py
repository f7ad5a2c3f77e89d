"""Commands of the command line: their effects, repeated runs, and one-sentence errors."""

import contextlib
import json
import re
import signal
import socket
import stat
import time
from pathlib import Path

import httpx
import pytest

from tools.testing.cli_runner import Shell, get

DEMO_COLLECTION = {
    "id": "mcoll_4a1f9c7e2b8d",
    "name": "Focus Sessions",
    "description": "Instrumental tracks for deep work",
    "cover_track_id": "mtrack_8d2e1f6a3c9b",
    "cover_image_url": None,
    "track_count": 12,
    "created_at": "2026-06-28T10:30:00Z",
    "updated_at": "2026-06-28T11:15:00Z",
}
COLLECTION = "/v1/music/org_abc123/collections/mcoll_4a1f9c7e2b8d"


def _client(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=30, trust_env=False)


@pytest.mark.slow
def test_demo_data_match_the_reference_page(shell: Shell) -> None:
    shell.text("migrate")
    demo = shell.json("demo")
    assert demo["organization_id"] == "org_abc123"
    assert demo["collection_id"] == DEMO_COLLECTION["id"]
    keys = {name: user["api_key"] for name, user in demo["users"].items()}
    assert {name: (user["user_id"], user["organization_id"]) for name, user in demo["users"].items()} == {
        "alice": ("user_alice", "org_abc123"),
        "bob": ("user_bob", "org_abc123"),
        "mallory": ("user_mallory", "org_def456"),
    }
    with shell.serving("serve", "--port", "0") as (url, _):
        assert get(url + COLLECTION, keys["alice"]).json() == DEMO_COLLECTION
        assert get(url + COLLECTION, keys["bob"]).status_code == 404
        assert get(url + COLLECTION, keys["mallory"]).status_code == 404
        tracks = get(url + COLLECTION + "/tracks", keys["alice"]).json()["items"]
    assert tracks[0] == {"track_id": "mtrack_8d2e1f6a3c9b", "position": 0, "added_at": "2026-06-28T10:35:00Z"}
    assert tracks[1] == {"track_id": "mtrack_1b9c4e7f2a6d", "position": 1, "added_at": "2026-06-28T10:40:00Z"}
    assert tracks[11]["added_at"] == DEMO_COLLECTION["updated_at"]
    assert len(tracks) == 12


@pytest.mark.slow
def test_repeated_demo_replaces_its_keys(shell: Shell) -> None:
    shell.text("migrate")
    former, fresh = shell.json("demo"), shell.json("demo")
    own = shell.json("keys", "create", "--organization", "org_abc123", "--user", "user_alice")
    shell.json("demo")
    listed = {key["id"] for key in shell.json("keys", "list")}
    assert len(listed) == 4
    assert own["id"] in listed
    assert former["users"]["alice"]["api_key"] != fresh["users"]["alice"]["api_key"]
    kept = json.loads(_demo_file(shell).read_text())
    with shell.serving("serve", "--port", "0") as (url, _):
        assert get(url + COLLECTION, kept["users"]["alice"]["api_key"]).json() == DEMO_COLLECTION
        assert get(url + COLLECTION, fresh["users"]["alice"]["api_key"]).status_code == 401


@pytest.mark.slow
def test_repeated_demo_restores_its_collection_and_keeps_other_data(sqlite: Shell) -> None:
    sqlite.text("migrate")
    key = sqlite.json("demo")["users"]["alice"]["api_key"]
    with sqlite.serving("serve", "--port", "0") as (url, _):
        with _client(url, key) as alice:
            assert alice.delete(COLLECTION).status_code == 200
            made = alice.post("/v1/music/org_abc123/collections", json={"name": "Mine"}).headers["Location"]
        fresh = sqlite.json("demo")["users"]["alice"]["api_key"]
        assert get(url + COLLECTION, fresh).json() == DEMO_COLLECTION
        with _client(url, fresh) as alice:
            assert alice.get(made).json()["name"] == "Mine"


def test_the_demo_refuses_a_database_with_other_data(shell: Shell) -> None:
    shell.text("migrate")
    shell.text("keys", "create", "--organization", "org_real", "--user", "ida")
    assert "other data" in shell.error("demo", "--json")
    assert len(shell.json("keys", "list")) == 1


@pytest.mark.slow
def test_up_creates_everything_once(shell: Shell) -> None:
    with shell.serving("up", "--port", "0") as (url, _):
        first = (shell.folder / "stdout").read_text()
        key = re.search(r"msk_\w{36}", first)
        assert key is not None
        assert f"{url}/docs" in first
        curl = re.search(r'curl -H "X-API-Key: (\S+)" (\S+)$', first, re.MULTILINE)
        assert curl is not None
        assert get(curl[2], curl[1]).json() == DEMO_COLLECTION
    with shell.serving("up", "--port", "0") as (url, _):
        assert key[0] in (shell.folder / "stdout").read_text()
        assert get(url + COLLECTION, key[0]).json() == DEMO_COLLECTION
    assert len(shell.json("keys", "list")) == 3


@pytest.mark.slow
def test_a_stored_demo_key_that_no_longer_works_is_replaced(sqlite: Shell) -> None:
    with sqlite.serving("up", "--port", "0"):
        former = json.loads(_demo_file(sqlite).read_text())["users"]["alice"]["api_key"]
    assert stat.S_IMODE(_demo_file(sqlite).stat().st_mode) == 0o600
    alices = next(key["id"] for key in sqlite.json("keys", "list") if key["user_id"] == "user_alice")
    sqlite.text("keys", "revoke", alices)
    with sqlite.serving("up", "--port", "0") as (url, _):
        fresh = json.loads(_demo_file(sqlite).read_text())["users"]["alice"]["api_key"]
        assert fresh != former
        assert get(url + COLLECTION, fresh).status_code == 200


@pytest.mark.slow
def test_a_database_with_other_data_is_served_without_the_demo(sqlite: Shell) -> None:
    sqlite.text("migrate")
    sqlite.text("keys", "create", "--organization", "org_real", "--user", "ida")
    with sqlite.serving("up", "--port", "0"):
        assert "msk_" not in (sqlite.folder / "stdout").read_text()
    assert len(sqlite.json("keys", "list")) == 1


@pytest.mark.slow
def test_a_key_is_shown_once_and_works_until_it_is_paused_or_revoked(shell: Shell) -> None:
    shell.text("migrate")
    secret = shell.text("keys", "create", "--organization", "org_real", "--user", "ida").strip()
    assert secret not in shell.text("keys", "list")
    [listed] = shell.json("keys", "list", "--organization", "org_real")
    assert listed["scopes"] == ["music:read", "music:write"]
    assert listed["hint"] == secret[:8]
    assert listed["expires_at"] is not None
    with shell.serving("serve", "--port", "0") as (url, _):
        asked = f"{url}/v1/music/org_real/collections"
        assert get(asked, secret).status_code == 200
        assert shell.json("keys", "pause", listed["id"])[0]["state"] == "paused"
        assert get(asked, secret).json()["error"]["code"] == "API_KEY_PAUSED"
        shell.text("keys", "resume", listed["id"])
        assert get(asked, secret).status_code == 200
        shell.text("keys", "revoke", listed["id"])
        assert get(asked, secret).json()["error"]["code"] == "API_KEY_DEACTIVATED"
    assert "for good" in shell.error("keys", "resume", listed["id"])


def test_key_gets_the_requested_scopes_and_expiry(sqlite: Shell) -> None:
    sqlite.text("migrate")
    who = ("keys", "create", "--organization", "org_real", "--user", "ida")
    assert sqlite.json(*who, "--scope", "music:read", "--never-expires")["expires_at"] is None
    made = sqlite.json(*who, "--scope", "music:read", "--expires-in-days", "1")
    assert made["scopes"] == ["music:read"]
    assert made["expires_at"] > made["created_at"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("keys", "create", "--organization", "real", "--user", "ida"), "An organization id is"),
        (("keys", "create", "--organization", "org_real", "--user", "i d a"), "A user id is"),
        (("keys", "create", "--organization", "org_real", "--user", "ida", "--scope", "all"), "is not a scope"),
        (
            (
                "keys",
                "create",
                "--organization",
                "org_real",
                "--user",
                "ida",
                "--never-expires",
                "--expires-in-days",
                "5",
            ),
            "give --never-expires or --expires-in-days",
        ),
        (("keys", "pause", "mkey_000000000000"), "There is no key"),
        (("tracks", "import", "nowhere", "--organization", "org_real", "--user", "ida"), "is not a folder"),
    ],
)
def test_invalid_arguments_give_a_one_sentence_error(sqlite: Shell, words: tuple[str, ...], message: str) -> None:
    sqlite.text("migrate")
    assert message in sqlite.error(*words)


@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("demo",)], ids=["serve", "demo"])
def test_unmigrated_database_error_names_the_migrate_command(shell: Shell, words: tuple[str, ...]) -> None:
    assert "run `music-studio migrate` first" in shell.error(*words)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "The database address must be"),
        ("mysql://localhost/music", "The database address must be"),
        ("sqlite:////dev/null/music.db", "Cannot use /dev/null"),
        ("postgresql://ida:secret-word@127.0.0.1:1/music", "cannot be used: "),
    ],
)
def test_unusable_database_gives_a_one_sentence_error(sqlite: Shell, url: str, message: str) -> None:
    for command in ("migrate", "up"):
        words = (command, "--database-url", url, *(("--port", "0") if command == "up" else ()))
        sentence = sqlite.error(*words)
        assert message in sentence
        assert "secret-word" not in sentence


def test_port_in_use_gives_an_error_and_creates_no_database(sqlite: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port}: address already in use" in sqlite.error("up", "--port", port)
    assert not list(sqlite.folder.glob("*.db"))


def test_invalid_setting_gives_a_one_sentence_error(sqlite: Shell) -> None:
    assert "MUSIC_STUDIO_PORT is 'many'" in sqlite.error("serve", MUSIC_STUDIO_PORT="many")


def test_the_settings_are_listed_with_secrets_masked(sqlite: Shell) -> None:
    secrets = {
        "MUSIC_STUDIO_JWT_SECRET": "canary-of-the-jwt-of-32-bytes-or-more",
        "MUSIC_STUDIO_DATABASE_URL": "postgresql://ida:canary-of-the-database@db/music",
    }
    shown = sqlite.run("settings", "--json", **secrets).stdout
    assert "canary" not in shown
    values = {row["variable"]: row["value"] for row in json.loads(shown)}
    assert values["MUSIC_STUDIO_JWT_SECRET"] == "***"
    assert values["MUSIC_STUDIO_DATABASE_URL"] == "postgresql://ida:***@db/music"
    assert values["MUSIC_STUDIO_PORT"] == "8080"
    plain = sqlite.text("settings")
    assert plain.startswith("VARIABLE\tDEFAULT\tVALUE\tMEANING\n")
    assert "\x1b" not in plain


@pytest.mark.slow
def test_workers_exit_with_their_supervisor(sqlite: Shell) -> None:
    sqlite.text("migrate")
    key = sqlite.json("demo")["users"]["alice"]["api_key"]
    with sqlite.serving("serve", "--port", "0", "--workers", "2") as (url, _):
        assert get(url + COLLECTION, key).json() == DEMO_COLLECTION
        port = url.rpartition(":")[2]
    with (
        contextlib.suppress(AssertionError),
        sqlite.serving("serve", "--port", port, "--workers", "2") as (_, supervisor),
    ):
        supervisor.kill()
        supervisor.wait()
    deadline = time.monotonic() + 15
    while "in use" in (done := sqlite.run("serve", "--port", port, MUSIC_STUDIO_DATABASE_URL="none")).stderr:
        assert time.monotonic() < deadline
    assert "The database address must be" in done.stderr


@pytest.mark.slow
def test_request_during_shutdown_is_answered(sqlite: Shell) -> None:
    sqlite.text("migrate")
    key = sqlite.json("demo")["users"]["alice"]["api_key"]
    with sqlite.serving("serve", "--port", "0") as (url, process), _client(url, key) as alice:
        assert "Connection" not in alice.get(COLLECTION).headers
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        last = alice.get(COLLECTION)
        assert last.status_code == 200
        assert last.headers["Connection"] == "close"


def _demo_file(shell: Shell) -> Path:
    return shell.folder / ("" if shell.url.startswith("sqlite") else "var") / "demo-keys.json"
