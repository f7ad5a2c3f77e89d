"""Commands for share links: listed and revoked by id or by user, and what a restore does to them."""

from pathlib import Path

import pytest

from models import organizations, shares, tracks
from models.access import Caller
from models.shares import Terms
from tools.testing import databases
from tools.testing.cli_runner import Shell
from tools.testing.server_process import connected

HOME, AWAY = "org_home1", "org_away2"


@pytest.fixture
def links(shell: Shell) -> dict[str, str]:
    """The ids of four links: three of alice, one of them in another organization, and one of bob."""
    shell.text("migrate")
    with connected(shell.url):
        return {name: _share(name, *whose) for name, whose in WHOSE.items()}


WHOSE = {"first": (HOME, "alice"), "second": (HOME, "alice"), "away": (AWAY, "alice"), "bob's": (HOME, "bob")}


def _share(name: str, organization: str, user: str) -> str:
    organizations.join(organization, user)
    track = tracks.add(organization, user, title=name)
    assert track is not None
    caller = Caller(user, frozenset({organization}), frozenset(), None)
    digest = name.encode().ljust(32)
    return shares.share_track(caller, organization, track.id, Terms(expires_in_days=30), digest).id


def _states(shell: Shell, *words: str) -> dict[str, str]:
    return {row["id"]: row["state"] for row in shell.json("shares", "list", *words)}


def test_links_are_listed_oldest_first(shell: Shell, links: dict[str, str]) -> None:
    listed = shell.json("shares", "list")
    assert [row["id"] for row in listed] == list(links.values())
    assert {row["state"] for row in listed} == {"active"}
    assert {"token", "digest"}.isdisjoint(listed[0])
    assert list(_states(shell, "--user", "alice")) == [links["first"], links["second"], links["away"]]
    assert list(_states(shell, "--organization", AWAY)) == [links["away"]]
    assert _states(shell, "--organization", AWAY, "--user", "bob") == {}


def test_links_are_revoked_by_id(shell: Shell, links: dict[str, str]) -> None:
    revoked = shell.json("shares", "revoke", links["second"], links["bob's"])
    assert [(row["id"], row["state"]) for row in revoked] == [(links[name], "revoked") for name in ("second", "bob's")]
    assert shell.json("shares", "revoke", links["second"])[0]["revoked_at"] == revoked[0]["revoked_at"]
    states = _states(shell)
    assert {name for name, link in links.items() if states[link] == "active"} == {"first", "away"}


def test_links_of_a_user_are_revoked(shell: Shell, links: dict[str, str]) -> None:
    assert len(shell.json("shares", "revoke", "--user", "alice", "--organization", HOME)) == 2
    states = _states(shell)
    assert {name for name, link in links.items() if states[link] == "active"} == {"away", "bob's"}
    assert len(shell.json("shares", "revoke", "--user", "alice")) == 3
    assert set(_states(shell, "--user", "alice").values()) == {"revoked"}


def test_what_names_no_link_revokes_none(shell: Shell, links: dict[str, str]) -> None:
    assert "Name the links to revoke, or their user with --user." in shell.error("shares", "revoke")
    assert "Name the links" in shell.error("shares", "revoke", "--organization", HOME)
    for words in (("mslink_000000000000", links["first"]), (links["first"], "--user", "bob")):
        assert "There is no such share link" in shell.error("shares", "revoke", *words)
    assert set(_states(shell).values()) == {"active"}


def test_revoked_link_stays_revoked_after_a_restore(sqlite: Shell, tmp_path: Path) -> None:
    sqlite.text("migrate")
    with connected(sqlite.url):
        kept, revoked = (_share(name, HOME, "alice") for name in ("kept", "revoked"))
    copy = tmp_path / "copy.db"
    sqlite.text("backup", str(copy))
    sqlite.json("shares", "revoke", revoked)
    assert sqlite.json("restore", str(copy), "--force")["revoked_links"] == 1
    assert _states(sqlite) == {kept: "active", revoked: "revoked"}
    elsewhere = Shell(tmp_path, databases.sqlite_url(tmp_path / "elsewhere"))
    assert elsewhere.json("restore", str(copy))["revoked_links"] == 0
    assert set(_states(elsewhere).values()) == {"active"}
