"""Members of organizations are listed, added and removed, with everything that hangs on a membership."""

from datetime import UTC, datetime

import httpx
import pytest

import app
from models import (
    collection_tracks,
    collections,
    focus_sessions,
    generations,
    keys,
    library,
    organizations,
    shares,
    spending,
    tracks,
)
from models.access import Caller
from models.db.database import Database
from models.exceptions import NotFound
from models.focus_sessions import Wish
from models.generations import JobLimits, Order
from models.keys import Actor
from ops import members
from settings import Settings
from tools.testing.callers import HOME, caller
from tools.testing.cli_runner import Shell
from tools.testing.server_process import connected
from tools.testing.service import PEPPER, assert_envelope
from tools.testing.thread_server import serving

ALICE, BOB = caller("alice", HOME), caller("bob", HOME)
IDA = Actor("ida", "members remove")
LIMITS = JobLimits(100, 10)


@pytest.fixture
def home(shell: Shell) -> Shell:
    """A database with alice and bob in one organization, open in this process."""
    shell.text("migrate")
    with connected(shell.url):
        for user in ("alice", "bob"):
            organizations.join(HOME, user)
    return shell


def order(number: int) -> Order:
    return Order("studio", "creation", "rain", 60, True, None, None, [], None, f"key-{number}", b"1" * 32)


def jobs_of(who: Caller) -> list[str]:
    return [job.status for job in generations.list_page(who, HOME, None, 10, 0)]


def spent() -> list[int]:
    return [cents for _, cents in spending.spent(HOME, datetime.now(UTC))]


def test_members_are_added_listed_removed_and_added_again(home: Shell) -> None:
    assert home.json("members", "add", HOME, "carol")["user_id"] == "carol"
    assert [row["user_id"] for row in home.json("members", "list", HOME)] == ["alice", "bob", "carol"]
    removed = home.json("members", "remove", HOME, "carol")
    assert removed == {
        "organization_id": HOME, "user_id": "carol", "was_member": True, "revoked_keys": 0, "cancelled_jobs": 0,
        "revoked_links": 0, "ended_sessions": 0,
    }  # fmt: skip
    assert [row["user_id"] for row in home.json("members", "list", HOME)] == ["alice", "bob"]
    listed = {row["user_id"]: row["removed_at"] for row in home.json("members", "list", HOME, "--removed")}
    assert (listed["alice"], listed["carol"] is None) == (None, False)
    assert home.json("members", "remove", HOME, "carol")["was_member"] is False
    assert "was removed from org_home before" in home.run("members", "remove", HOME, "carol").stderr
    home.text("members", "add", HOME, "carol")
    with connected(home.url):
        assert organizations.organizations_of("carol") == {HOME}


def test_who_is_unknown_is_named(home: Shell) -> None:
    assert "There is no member dora of org_home" in home.error("members", "remove", HOME, "dora")
    assert "There is no organization org_none" in home.error("members", "list", "org_none")
    assert "There is no organization org_none" in home.error("members", "remove", "org_none", "alice")
    assert "A user id is" in home.error("members", "add", HOME, "two words")


def test_a_removal_ends_keys_and_jobs_of_the_user_in_this_organization_only(home: Shell) -> None:
    with connected(home.url):
        organizations.join("org_other", "alice")
        for user, organization in (("alice", HOME), ("alice", HOME), ("bob", HOME), ("alice", "org_other")):
            keys.make(organization, user, ["music:read"], pepper=b"x")
        for number in range(3):
            generations.create(ALICE, HOME, order(number), LIMITS)
        generations.create(BOB, HOME, order(0), LIMITS)
        assert spent() == [400, 400, 400]
    removed = home.json("members", "remove", HOME, "alice")
    assert (removed["revoked_keys"], removed["cancelled_jobs"]) == (2, 3)
    with connected(home.url):
        states = {(key.organization_id, key.user_id, key.state) for key in keys.list_all()}
        assert states == {
            (HOME, "alice", "deactivated"), (HOME, "bob", "active"), ("org_other", "alice", "active"),
        }  # fmt: skip
        assert (jobs_of(ALICE), jobs_of(BOB)) == (["cancelled"] * 3, ["queued"])
        assert spent() == [100, 100, 100]
        assert organizations.organizations_of("alice") == {"org_other"}
        generations.create(BOB, HOME, order(1), LIMITS)  # the places in the queue are free again
    events = [row for row in home.json("keys", "log", "--organization", HOME) if row["event"] == "revoked"]
    assert [row["command"] for row in events] == ["members remove"] * 2


def test_a_removal_ends_links_and_the_session_of_the_user_only(home: Shell) -> None:
    with connected(home.url):
        for member in (ALICE, BOB):
            track = tracks.add(HOME, member.user_id, title="Rain")
            assert track is not None
            shares.share_track(member, HOME, track.id, shares.Terms(), member.user_id.encode().ljust(32))
            wish = Wish("focus", "studio", None, "medium", 50, 30, None, b"1" * 32)
            focus_sessions.start(member, HOME, wish, 0)
    removed = home.json("members", "remove", HOME, "alice")
    assert (removed["revoked_links"], removed["ended_sessions"]) == (1, 1)
    with connected(home.url):
        with pytest.raises(NotFound):
            shares.resolve(b"alice".ljust(32))
        assert shares.resolve(b"bob".ljust(32)).link.organization_id == HOME
        states = [focus_sessions.list_page(member, HOME, None, 9, 0)[0].status for member in (ALICE, BOB)]
        assert states == ["ended", "active"]


def test_tracks_of_a_former_member_stay_with_those_who_saved_them(home: Shell) -> None:
    with connected(home.url):
        track = tracks.add(HOME, "alice", title="Rain")
        assert track is not None
        library.put(HOME, "bob", track)
        made = collections.create(BOB, HOME, name="Focus", cover_track_id=track.id)
        collection_tracks.add(BOB, HOME, made.id, track.id, None)
        members.remove(HOME, "alice", IDA)
        assert tracks.get(BOB, HOME, track.id).title == "Rain"
        assert [each.track_id for each in collection_tracks.list_page(BOB, HOME, made.id, 9, 0)[1]] == [track.id]
        organizations.join(HOME, "alice")
        assert tracks.get(ALICE, HOME, track.id).title == "Rain"


def test_everything_that_ends_with_a_membership_is_asked_again_after_an_interruption(
    home: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_organization_id: str, _user_id: str) -> int:
        raise KeyboardInterrupt

    with connected(home.url):
        generations.create(ALICE, HOME, order(0), LIMITS)
        with monkeypatch.context() as patch:
            patch.setattr(members, "ENDED_WITH_MEMBERSHIP", {"stopped": stop, **members.ENDED_WITH_MEMBERSHIP})
            with pytest.raises(KeyboardInterrupt):
                members.remove(HOME, "alice", IDA)
        assert organizations.organizations_of("alice") == set()
        assert jobs_of(ALICE) == ["queued"]
        assert members.remove(HOME, "alice", IDA)["cancelled_jobs"] == 1
        assert jobs_of(ALICE) == ["cancelled"]


def test_every_later_request_of_a_former_member_is_refused(home: Shell) -> None:
    with Database(home.url):
        secret = keys.make(HOME, "alice", ["music:read", "music:write"], pepper=PEPPER.encode())[1]
    settings = Settings(database_url=home.url, key_pepper=PEPPER, rate_limit="off")
    headers = {"X-API-Key": secret}
    with serving(app.create_app(settings)) as address, httpx.Client(headers=headers, trust_env=False) as client:
        place = f"{address}/v1/music/{HOME}/collections"
        assert client.get(place).status_code == 200
        home.text("members", "remove", HOME, "alice")
        assert_envelope(client.get(place), "API_KEY_DEACTIVATED")
        home.text("members", "add", HOME, "alice")
        assert_envelope(client.get(place), "API_KEY_DEACTIVATED")


def test_a_removal_waits_for_the_caches_of_servers(home: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a request writes under a membership that a server still believes in is written before the jobs end."""
    happened: list[str] = []

    def end_jobs(_organization_id: str, _user_id: str) -> int:
        happened.append("ended")
        return 0

    monkeypatch.setattr("models.revocation.time.sleep", lambda _seconds: happened.append("waited"))
    monkeypatch.setattr(members, "ENDED_WITH_MEMBERSHIP", {"jobs": end_jobs})
    with connected(home.url):
        members.remove(HOME, "alice", IDA)
    assert happened == ["waited", "ended"]
