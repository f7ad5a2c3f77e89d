"""API keys: creation, rotation, key files, key log and last_used_at."""

import json
import re
import stat
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Delete, Insert, Update, text

from models import keys
from models.base import metadata
from models.db import connection, engines
from models.db.database import Database
from models.key_events import list_all
from models.key_tables import key_events
from ops.maintenance import SERVER
from tools.testing.cli_runner import Shell, get
from tools.testing.service import ALICE, Service, at_once
from tools.testing.statements import statements

WHO = ("--organization", "org_real", "--user", "ida")
LIST = "/v1/music/org_real/collections"
# Triggers that record every write of last_used_at.
RECORD = "INSERT INTO noted VALUES (new.id);"
TRIGGER = "TRIGGER noting AFTER UPDATE OF last_used_at ON api_keys"
TRIGGERS = {
    "sqlite": (f"CREATE {TRIGGER} BEGIN {RECORD} END",),
    "postgresql": (
        f"CREATE FUNCTION noting() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {RECORD} RETURN new; END'",
        f"CREATE {TRIGGER} FOR EACH ROW EXECUTE FUNCTION noting()",
    ),
}


def error_code(response: httpx.Response) -> Any:
    return None if response.status_code == 200 else response.json()["error"]["code"]


def log_events(shell: Shell, *words: str) -> list[tuple[str, str]]:
    return [(event["event"], event["key_id"]) for event in shell.json("keys", "log", *words)]


def _life(key: Any) -> timedelta:
    return datetime.fromisoformat(key["expires_at"]) - datetime.fromisoformat(key["created_at"])


@pytest.mark.slow
def test_rotated_and_new_key_both_work_during_the_overlap(shell: Shell) -> None:
    shell.text("migrate")
    made = shell.json("keys", "create", *WHO, "--scope", "music:read", "--rate-limit", "500/minute")
    with shell.serving("serve", "--port", "0") as (url, _):
        done = shell.run("keys", "rotate", made["id"], "--overlap", "8s")
        fresh = done.stdout.strip()
        former, new = shell.json("keys", "list")
        assert [error_code(get(url + LIST, secret)) for secret in (made["api_key"], fresh)] == [None, None]
        ends = datetime.fromisoformat(former["expires_at"])
        time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 1)
        codes = [error_code(get(url + LIST, secret)) for secret in (made["api_key"], fresh)]
        assert codes == ["API_KEY_EXPIRED", None]
    assert f"{made['id']} is replaced by {new['id']}.\n" in done.stderr
    assert f"Both work until {former['expires_at']}; then {made['id']} has expired." in done.stderr
    assert former["replaced_by"] == new["id"]
    assert [new[name] for name in ("user_id", "scopes", "rate_limit")] == ["ida", ["music:read"], "500/minute"]
    lived = [
        datetime.fromisoformat(key["expires_at"]) - datetime.fromisoformat(key["created_at"]) for key in (new, made)
    ]
    assert abs(lived[0] - lived[1]) <= timedelta(seconds=1)
    assert log_events(shell) == [("created", made["id"]), ("created", new["id"]), ("rotated", made["id"])]


@pytest.mark.slow
def test_zero_overlap_expires_the_old_key_immediately(sqlite: Shell) -> None:
    sqlite.text("migrate")
    made = sqlite.json("keys", "create", *WHO, "--never-expires")
    rotated = sqlite.json("keys", "rotate", made["id"], "--overlap", "0s")
    assert rotated["expires_at"] is None
    assert rotated["replaced"]["id"] == made["id"]
    assert [key["state"] for key in sqlite.json("keys", "list")] == ["expired", "active"]
    with sqlite.serving("serve", "--port", "0") as (url, _):
        assert error_code(get(url + LIST, made["api_key"])) == "API_KEY_EXPIRED"
        assert error_code(get(url + LIST, rotated["api_key"])) is None


def test_rotation_never_extends_the_expiry_of_the_old_key(sqlite: Shell) -> None:
    sqlite.text("migrate")
    made = sqlite.json("keys", "create", *WHO, "--expires-in-days", "1")
    assert sqlite.json("keys", "rotate", made["id"], "--overlap", "7d")["replaced"]["expires_at"] == made["expires_at"]


@pytest.mark.slow
def test_inactive_key_cannot_be_rotated(sqlite: Shell) -> None:
    sqlite.text("migrate")
    paused, revoked, replaced, ended = (sqlite.json("keys", "create", *WHO)["id"] for _ in range(4))
    sqlite.text("keys", "pause", paused)
    sqlite.text("keys", "revoke", revoked)
    sqlite.text("keys", "rotate", replaced)
    successor = sqlite.json("keys", "rotate", ended, "--overlap", "0s")["id"]
    assert "is paused: resume it first" in sqlite.error("keys", "rotate", paused)
    assert "was revoked for good: create a new key" in sqlite.error("keys", "rotate", revoked)
    assert "was replaced by mkey_" in sqlite.error("keys", "rotate", replaced)
    assert f"was replaced by {successor}" in sqlite.error("keys", "rotate", ended)
    assert "There is no key" in sqlite.error("keys", "rotate", "mkey_000000000000")
    for overlap in ("soon", "-1h", "24", "400d", "999999999d"):
        assert "is not a duration" in sqlite.error("keys", "rotate", successor, "--overlap", overlap)
    assert len(sqlite.json("keys", "list")) == 6


def test_invalid_rate_limit_gives_a_one_sentence_error(sqlite: Shell) -> None:
    sqlite.text("migrate")
    for limit in ("many", "0/minute", "5/fortnight", "5/minute;6/hour"):
        assert "is not a rate limit" in sqlite.error("keys", "create", *WHO, "--rate-limit", limit)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["create", "rotate"])
def test_key_file_has_mode_0600(sqlite: Shell, command: str) -> None:
    sqlite.text("migrate")
    file = sqlite.folder / "key"
    words = ("create", *WHO) if command == "create" else ("rotate", sqlite.json("keys", "create", *WHO)["id"])
    done = sqlite.run("keys", *words, "--output", str(file))
    secret = file.read_text().strip()
    assert re.fullmatch(r"msk_\w{36}", secret)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (done.returncode, done.stdout) == (0, "")
    assert f"The key is in {file}, which only you can read." in done.stderr
    assert secret not in done.stderr
    with sqlite.serving("serve", "--port", "0") as (url, _):
        assert get(url + LIST, secret).status_code == 200
    other = sqlite.folder / "other"
    printed = sqlite.text("keys", "create", *WHO, "--output", str(other), "--json")
    assert other.read_text().strip() not in printed
    assert json.loads(printed)["file"] == str(other)


def test_key_file_is_not_overwritten_or_followed_as_symlink(sqlite: Shell) -> None:
    sqlite.text("migrate")
    there, link = sqlite.folder / "there", sqlite.folder / "link"
    there.write_text("mine")
    link.symlink_to(sqlite.folder / "elsewhere")
    for file in (there, link):
        assert "There is already a file" in sqlite.error("keys", "create", *WHO, "--output", str(file))
    assert "Cannot use" in sqlite.error("keys", "create", *WHO, "--output", str(sqlite.folder / "no" / "key"))
    assert there.read_text() == "mine"
    assert not (sqlite.folder / "elsewhere").exists()
    assert sqlite.json("keys", "list") == []


def test_failed_key_creation_leaves_no_file(sqlite: Shell) -> None:
    sqlite.text("migrate")
    file = sqlite.folder / "key"
    assert "is not a scope" in sqlite.error("keys", "create", *WHO, "--scope", "all", "--output", str(file))
    assert not file.exists()


def test_key_log_has_event_actor_and_command(shell: Shell) -> None:
    shell.text("migrate")
    made = shell.json("keys", "create", *WHO, "--expires-in-days", "2")
    for action in ("pause", "resume", "revoke"):
        shell.text("keys", action, made["id"])
    other = shell.json("keys", "create", "--organization", "org_other", "--user", "ben")
    log = shell.json("keys", "log", "--organization", "org_real")
    assert [event["event"] for event in log] == ["created", "paused", "resumed", "revoked"]
    assert [event["command"] for event in log] == ["keys create", "keys pause", "keys resume", "keys revoke"]
    assert {event["key_id"] for event in log} == {made["id"]}
    assert len({event["actor"] for event in log}) == 1
    assert log[0]["actor"]
    assert log[0]["detail"] == f"for ida, music:read music:write, expires {made['expires_at']}"
    moments = [datetime.fromisoformat(event["happened_at"]) for event in log]
    assert moments == sorted(moments)
    assert log_events(shell)[-1] == ("created", other["id"])
    shown = shell.text("keys", "log")
    assert shown.startswith("ORGANIZATION_ID\tHAPPENED_AT\tKEY_ID\tEVENT\tACTOR\tCOMMAND\tDETAIL\n")


def test_demo_keys_are_logged(sqlite: Shell) -> None:
    sqlite.text("migrate")
    sqlite.text("demo")
    sqlite.text("demo")
    log = sqlite.json("keys", "log", "--organization", "org_def456")
    assert [event["event"] for event in log] == ["created", "deleted", "created"]
    assert {event["command"] for event in log} == {"demo"}


def test_key_log_is_append_only() -> None:
    on_events = [found for found in statements().values() if getattr(found, "table", None) is key_events]
    assert any(isinstance(found, Insert) for found in on_events)
    assert not [found for found in on_events if isinstance(found, Update | Delete)]


def test_no_secret_is_in_the_database(shell: Shell) -> None:
    shell.text("migrate")
    made = shell.json("keys", "create", *WHO)
    fresh = shell.json("keys", "rotate", made["id"])
    with Database(shell.url):
        kept = [repr(row) for table in metadata.sorted_tables for row in connection.fetch_all(table.select())]
    assert any(made["id"] in row for row in kept)
    for secret in (made["api_key"], fresh["api_key"]):
        assert not [row for row in kept if secret[keys.HINT_LENGTH :] in row]


def test_key_expiry_is_logged_once(server: Service) -> None:
    key_id, _ = server.key(ALICE, expires_at=datetime.now(UTC) - timedelta(hours=1))
    with server.use_database():
        keys.log_expired(SERVER)
        keys.log_expired(SERVER)
        expired = [event for event in list_all() if event.key_id == key_id and event.event == "expired"]
        ends = keys.get(key_id)
    assert ends is not None
    assert [(event.happened_at, event.actor, event.command) for event in expired] == [
        (ends.expires_at, "server", "serve")
    ]


@pytest.mark.slow
def test_last_used_at_is_written_at_most_twice_for_1000_requests(shell: Shell) -> None:
    shell.text("migrate")
    made = shell.json("keys", "create", *WHO, "--rate-limit", "off")
    with Database(shell.url):
        for statement in ("CREATE TABLE noted (key_id TEXT)", *TRIGGERS[shell.url.partition(":")[0]]):
            connection.execute(text(statement))
    before = datetime.now(UTC)
    with (
        shell.serving("serve", "--port", "0", "--workers", "2") as (url, _),
        httpx.Client(headers={"X-API-Key": made["api_key"]}, timeout=30, trust_env=False) as client,
    ):
        assert {
            response.status_code for response in at_once(4, lambda _: _get_repeatedly(client, url + LIST, 250))
        } == {200}
        time.sleep(2.5)  # last_used_at is written a second later
    with Database(shell.url):
        counted = connection.fetch_all(text("SELECT key_id FROM noted"))
        found = keys.get(made["id"])
    assert 1 <= len(counted) <= 2
    assert found is not None
    assert found.last_used_at is not None
    assert before <= found.last_used_at <= datetime.now(UTC)
    assert shell.json("keys", "list")[0]["last_used_at"] is not None


@pytest.mark.slow
def test_requests_do_not_wait_for_last_used_at(server: Service) -> None:
    key_id, secret = server.key(ALICE)
    client = server.client(secret)
    engine = engines.create_unpooled(server.database_url, wait_seconds=5)
    lock = "SELECT 1 FROM api_keys FOR UPDATE" if engine.dialect.name == "postgresql" else "SELECT 1 FROM api_keys"
    with engine.connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN")
        holder.exec_driver_sql(lock)
        assert client.get("collections").status_code == 200
        time.sleep(1.5)  # the writer of last_used_at waits now
        assert client.get("collections").status_code == 200
        holder.exec_driver_sql("ROLLBACK")
    engine.dispose()
    assert _last_used(server, key_id) is not None


def _last_used(server: Service, key_id: str, timeout: float = 30) -> datetime | None:
    """Waits for last_used_at of the key, and returns it."""
    deadline = time.monotonic() + timeout
    with server.use_database():
        while (key := keys.get(key_id)) and key.last_used_at is None and time.monotonic() < deadline:
            time.sleep(0.1)
    return key.last_used_at if key else None


def _get_repeatedly(client: httpx.Client, url: str, times: int) -> httpx.Response:
    for _ in range(times):
        response = client.get(url)
        if response.status_code != 200:
            break
    return response
