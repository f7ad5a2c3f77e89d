"""Share links: what they open, to whom and for how long, and what nobody learns from them. Through HTTP."""

import asyncio
import re
import secrets
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import bindparam, select, update
from structlog.testing import capture_logs

from models import shares
from models.base import now
from models.db import connection
from models.db.database import Database
from models.schema import tracks
from models.share_tables import share_links, share_tokens
from tools.testing.service import (
    AWAY,
    HOME,
    NO_COLLECTION,
    NO_TRACK,
    Service,
    Services,
    add_all,
    assert_envelope,
    at_once,
    new_collection,
    violations,
)
from web.resolve_counter import ResolveCounter

SECRET = "a shared secret of these tests, 32 bytes"
CREATED = ["id", "token", "url", "target_type", "visibility", "expires_at", "created_at"]
LISTED = ["id", "target_type", "visibility", "expires_at", "created_at", "revoked_at", "resolve_count"]
RESOLVED = ["kind", "available", "message", "share", "track", "collection", "tracks"]
SAVED = ["id", "track_id", "source", "share_link_id", "created_at"]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
UNKNOWN = "shr_" + "0" * 32


class Person(NamedTuple):
    """A user of these tests with no data but what the test makes."""

    service: Service
    user: str
    organization: str
    client: httpx.Client

    def make(self, count: int = 1) -> list[str]:
        """The ids of new tracks of this user, with audio."""
        made = self.service.make_tracks(count, self.organization, self.user)
        with self.service.use_database():
            for track in made:
                connection.execute(GIVE_AUDIO, organization=self.organization, track=track)
        return made

    def share(self, target: str, **body: object) -> dict[str, Any]:
        """A new link to `tracks/ID` or `collections/ID`."""
        response = self.client.post(f"{target}/share", json=body) if body else self.client.post(f"{target}/share")
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json()
        return made

    def links(self) -> list[dict[str, Any]]:
        response = self.client.get("share")
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["items"]
        return found


GIVE_AUDIO = (
    update(tracks)
    .where(tracks.c.organization_id == bindparam("organization"), tracks.c.id == bindparam("track"))
    .values(audio_name="a.mp3", audio_bytes=5, mime_type="audio/mpeg", duration_ms=61_250)
)
EXPIRE = (
    update(share_tokens)
    .where(share_tokens.c.organization_id == bindparam("organization"), share_tokens.c.link_id == bindparam("link"))
    .values(ends_at=bindparam("end"))
)


def _person(service: Service, organization: str = HOME) -> Person:
    user = f"user_{secrets.token_hex(4)}"
    return Person(service, user, organization, service.client(service.key(user, organization)[1], organization))


@pytest.fixture
def owner(server: Service) -> Person:
    return _person(server)


@pytest.fixture
def guest(server: Service) -> Person:
    """A user of another organization."""
    return _person(server, AWAY)


@pytest.fixture
def anyone(server: Service) -> httpx.Client:
    """A client without a credential."""
    client = server.client()
    client.base_url = httpx.URL(f"{server.url}/v1/music/shared/")
    return client


def test_created_link_has_its_token_once(owner: Person) -> None:
    [track] = owner.make()
    response = owner.client.post(f"tracks/{track}/share")
    link = response.json()
    assert list(link) == CREATED
    assert re.fullmatch("mslink_[0-9a-f]{12}", link["id"])
    assert re.fullmatch("shr_[0-9a-f]{32}", link["token"])
    assert link["url"] == f"{owner.service.url}/v1/music/shared/{link['token']}"
    assert response.headers["Location"] == f"/v1/music/shared/{link['token']}"
    assert response.headers["Cache-Control"] == "no-store"
    assert (link["target_type"], link["visibility"], link["expires_at"]) == ("track", "link_only", None)
    [listed] = owner.links()
    assert list(listed) == LISTED
    assert listed == {name: link[name] for name in LISTED[:5]} | {"revoked_at": None, "resolve_count": 0}
    assert link["token"] not in owner.client.get("share").text


def test_body_is_optional_and_checked(owner: Person) -> None:
    target = f"tracks/{owner.make()[0]}"
    assert owner.share(target, visibility="public")["visibility"] == "public"
    assert owner.client.post(f"{target}/share", json={}).status_code == 201
    for body, found in (
        ({"visibility": "secret"}, ("/visibility", "enum")),
        ({"expires_in_days": 0}, ("/expires_in_days", "minimum")),
        ({"expires_in_days": "1"}, ("/expires_in_days", "type")),
        ({"token": UNKNOWN}, ("/token", "additionalProperties")),
    ):
        assert violations(owner.client.post(f"{target}/share", json=body)) == {found}
    key = {"Idempotency-Key": "a-key"}
    made = {owner.client.post(f"{target}/share", headers=key).json()["token"] for _ in range(2)}
    assert len(made) == 2, "a stored response would hold a token"


@pytest.mark.parametrize(("days", "kept"), [(1, 1), (90, 90), (91, 90), (2_147_483_647, 90)])
def test_more_than_ninety_days_are_ninety(owner: Person, days: int, kept: int) -> None:
    link = owner.share(f"tracks/{owner.make()[0]}", expires_in_days=days)
    lasts = datetime.fromisoformat(link["expires_at"]) - datetime.fromisoformat(link["created_at"])
    assert lasts == timedelta(days=kept)


def test_track_is_heard_without_a_credential(owner: Person, anyone: httpx.Client) -> None:
    [track] = owner.make()
    link = owner.share(f"tracks/{track}")
    response = anyone.get(link["token"])
    assert response.status_code == 200, response.text
    assert (response.headers["Cache-Control"], response.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "Accept" in response.headers["Vary"]
    body = response.json()
    assert list(body) == RESOLVED
    assert body["track"].pop("playback_url").startswith(f"{owner.service.url}/v1/music/audio/{track}.mp3?sig=mseal_")
    assert body == {
        "kind": "track",
        "available": True,
        "message": None,
        "share": {"target_type": "track", "visibility": "link_only", "expires_at": None},
        "track": {
            "id": track,
            "title": "A track of the tests",
            "engine": "import",
            "mode": "creation",
            "measured_duration_seconds": 61.25,
            "instrumental": False,
            "licence": {
                "licence_class": "unclear",
                "licence_version": None,
                "commercial_use": False,
                "requires_attribution": True,
            },
        },
        "collection": None,
        "tracks": None,
    }
    assert not re.search(rf"{owner.user}|{HOME}|mslink_", response.text)


def test_collection_is_heard_as_it_is_now(owner: Person, anyone: httpx.Client) -> None:
    made = owner.make(4)
    collection = new_collection(owner.client, name="Ours", description="Two\nlines", cover_track_id=made[0])["id"]
    add_all(owner.client, collection, made[:3])
    link = owner.share(f"collections/{collection}")
    shown = anyone.get(link["token"]).json()
    assert (shown["kind"], shown["available"], shown["track"]) == ("collection", True, None)
    assert shown["collection"] == {"id": collection, "name": "Ours", "description": "Two\nlines"}
    assert [one["id"] for one in shown["tracks"]] == made[:3]
    assert all(one["playback_url"] for one in shown["tracks"])
    owner.client.put(f"collections/{collection}/order", json={"ordered_track_ids": made[2::-1]})
    owner.client.post(f"collections/{collection}/tracks", json={"track_id": made[3]})
    owner.client.delete(f"tracks/{made[1]}")
    owner.client.delete(f"collections/{collection}/tracks/{made[0]}")
    assert [one["id"] for one in anyone.get(link["token"]).json()["tracks"]] == [made[2], made[3]]


def test_removed_content_is_not_available(owner: Person, anyone: httpx.Client) -> None:
    [track] = owner.make()
    collection = new_collection(owner.client)["id"]
    links = [owner.share(f"tracks/{track}"), owner.share(f"collections/{collection}", visibility="public")]
    assert anyone.get(links[1]["token"]).json()["tracks"] == []
    owner.client.delete(f"tracks/{track}")
    owner.client.delete(f"collections/{collection}")
    for link, kind in zip(links, ("track", "collection"), strict=True):
        response = anyone.get(link["token"])
        assert response.status_code == 200
        body = response.json()
        assert (body["kind"], body["available"], body["share"]["visibility"]) == (kind, False, link["visibility"])
        assert isinstance(body["message"], str)
        assert [body[name] for name in ("track", "collection", "tracks")] == [None] * 3


def test_track_without_audio_is_not_available(owner: Person, anyone: httpx.Client) -> None:
    [silent] = owner.service.make_tracks(1, HOME, owner.user)
    body = anyone.get(owner.share(f"tracks/{silent}")["token"]).json()
    assert (body["available"], body["track"]) == (False, None)
    collection = new_collection(owner.client)["id"]
    add_all(owner.client, collection, [silent, *owner.make()])
    shown = anyone.get(owner.share(f"collections/{collection}")["token"]).json()
    assert [one["playback_url"] is None for one in shown["tracks"]] == [True, False]
    assert shown["available"]


def test_shared_collection_shows_its_first_five_hundred_tracks(owner: Person, anyone: httpx.Client) -> None:
    made = owner.make(502)
    collection = new_collection(owner.client)["id"]
    add_all(owner.client, collection, made)
    owner.client.delete(f"tracks/{made[0]}")
    shown = anyone.get(owner.share(f"collections/{collection}")["token"]).json()
    assert [one["id"] for one in shown["tracks"]] == made[1:501]


def test_only_the_creator_shares_a_track(owner: Person, guest: Person) -> None:
    [track] = owner.make()
    colleague = _person(owner.service)
    assert_envelope(colleague.client.post(f"tracks/{track}/share"), "RESOURCE_NOT_FOUND")
    owner.service.save_track(track, colleague.user)
    hears = assert_envelope(colleague.client.post(f"tracks/{track}/share"), "RESOURCE_NOT_FOUND")
    assert hears["details"] == {"track_id": track}
    owner.service.save_track(track, guest.user, AWAY, HOME)
    assert guest.client.get(f"tracks/{track}").status_code == 200
    assert_envelope(guest.client.post(f"tracks/{track}/share"), "RESOURCE_NOT_FOUND")
    assert_envelope(owner.client.post(f"tracks/{NO_TRACK}/share"), "RESOURCE_NOT_FOUND")
    owner.client.delete(f"tracks/{track}")
    assert_envelope(owner.client.post(f"tracks/{track}/share"), "RESOURCE_NOT_FOUND")


def test_only_the_owner_shares_a_collection(owner: Person) -> None:
    collection, colleague = new_collection(owner.client)["id"], _person(owner.service)
    for client, target in ((colleague.client, collection), (owner.client, NO_COLLECTION)):
        error = assert_envelope(client.post(f"collections/{target}/share"), "RESOURCE_NOT_FOUND")
        assert error["details"] == {"collection_id": target}


def test_links_are_listed_newest_first(owner: Person) -> None:
    made = [owner.share(f"tracks/{track}")["id"] for track in owner.make(3)]
    assert [link["id"] for link in owner.links()] == made[::-1]
    page = owner.client.get("share", params={"limit": 1, "offset": 1}).json()
    assert ([link["id"] for link in page["items"]], page["limit"], page["offset"]) == ([made[1]], 1, 1)
    assert _person(owner.service).links() == []


def test_revoked_link_opens_nothing_and_stays_listed(owner: Person, anyone: httpx.Client) -> None:
    link = owner.share(f"tracks/{owner.make()[0]}")
    for _ in range(2):
        response = owner.client.delete(f"share/{link['id']}")
        assert response.json() == {"success": True, "id": link["id"], "detail": "Share link revoked."}
        assert_envelope(anyone.get(link["token"]), "RESOURCE_NOT_FOUND")
    assert abs(datetime.fromisoformat(owner.links()[0]["revoked_at"]) - now()) < timedelta(seconds=30)
    colleague = _person(owner.service)
    for client, absent in ((colleague.client, link["id"]), (owner.client, "mslink_000000000000")):
        error = assert_envelope(client.delete(f"share/{absent}"), "RESOURCE_NOT_FOUND")
        assert error["details"] == {"share_id": absent}


def test_revoking_again_keeps_the_time(owner: Person) -> None:
    link = owner.share(f"tracks/{owner.make()[0]}")["id"]
    earlier = now() - timedelta(days=3)
    with owner.service.use_database():
        connection.execute(
            update(share_links)
            .where(share_links.c.organization_id == bindparam("organization"), share_links.c.id == bindparam("link"))
            .values(revoked_at=bindparam("earlier")),
            organization=HOME, link=link, earlier=earlier,
        )  # fmt: skip
    assert owner.client.delete(f"share/{link}").status_code == 200
    assert datetime.fromisoformat(owner.links()[0]["revoked_at"]) == earlier.replace(microsecond=0)


def _dead(owner: Person) -> dict[str, str]:
    """A token for each reason why a link opens nothing."""
    [track] = owner.make()
    revoked, expired = owner.share(f"tracks/{track}"), owner.share(f"tracks/{track}", expires_in_days=1)
    owner.client.delete(f"share/{revoked['id']}")
    with owner.service.use_database():
        connection.execute(EXPIRE, organization=HOME, link=expired["id"], end=now() - timedelta(milliseconds=1))
    return {
        "unknown": f"shr_{secrets.token_hex(16)}",
        "revoked": revoked["token"],
        "expired": expired["token"],
        "malformed": "shr_1",
        "long": "shr_" + "a" * 5000,
        "another form": "mslink_000000000000",
    }


def test_unknown_revoked_and_expired_links_are_alike(owner: Person, anyone: httpx.Client, guest: Person) -> None:
    dead = _dead(owner)
    for ask in (
        anyone.get,
        lambda token: guest.client.post(f"{owner.service.url}/v1/music/shared/{token}/save"),
    ):
        answers = [_without_time(ask(token)) for token in dead.values()]
        assert answers == answers[:1] * len(dead)
        assert answers[0][2]["error"]["details"] == {}


def _without_time(response: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """A response without what differs between two equal requests."""
    assert_envelope(response, "RESOURCE_NOT_FOUND")
    headers = {name: value for name, value in response.headers.items() if name not in ("date", "x-request-id")}
    body = response.json()
    body["error"] |= {"trace_id": "", "timestamp": ""}
    return response.status_code, headers, body


@pytest.mark.parametrize(
    ("accept", "leads"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("text/*", True),
        ("text/html;q=0.5, application/json;q=0.4", True),
        ("*/*", False),
        ("application/json", False),
        ("text/html, application/json", False),
        ("text/html;q=0.4, application/json;q=0.5", False),
        ("text/html;q=0, */*", False),
        ("", False),
    ],
)
def test_browser_is_led_to_the_page(owner: Person, anyone: httpx.Client, accept: str, leads: bool) -> None:
    link = owner.share(f"tracks/{owner.make()[0]}")
    response = anyone.get(link["token"], headers={"Accept": accept})
    assert response.status_code == (303 if leads else 200)
    assert "Accept" in response.headers["Vary"]
    if leads:
        assert response.headers["Location"] == f"/shared/{link['token']}"
        assert (response.headers["Cache-Control"], response.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
        assert response.content == b""


def test_the_way_to_the_page_tells_nothing_about_the_link(owner: Person, anyone: httpx.Client) -> None:
    for reason, token in _dead(owner).items():
        response = anyone.get(token, headers={"Accept": BROWSER})
        if reason in ("unknown", "revoked", "expired"):
            assert (response.status_code, response.headers["Location"]) == (303, f"/shared/{token}")
        else:
            assert_envelope(response, "RESOURCE_NOT_FOUND")
    assert_envelope(anyone.get(UNKNOWN, headers={"Accept": "image/png"}), "NOT_ACCEPTABLE")


def _shared(service: Service, token: str) -> str:
    return f"{service.url}/v1/music/shared/{token}/save"


def test_saved_track_is_the_recipients_after_the_link_is_revoked(owner: Person, guest: Person) -> None:
    [track] = owner.make()
    link = owner.share(f"tracks/{track}")
    response = guest.client.post(_shared(owner.service, link["token"]))
    assert response.status_code == 201, response.text
    entry = response.json()
    assert list(entry) == SAVED
    assert re.fullmatch("mlib_[0-9a-f]{12}", entry["id"])
    assert (entry["track_id"], entry["source"], entry["share_link_id"]) == (track, "shared", link["id"])
    assert response.headers["Location"] == f"/v1/music/{AWAY}/tracks/{track}"
    assert guest.client.post(_shared(owner.service, link["token"])).json() == entry
    owner.client.delete(f"share/{link['id']}")
    assert guest.client.get(owner.service.url + response.headers["Location"]).json()["playback_url"]
    assert [one["id"] for one in guest.client.get("tracks").json()["items"]] == [track]
    assert guest.client.post(f"tracks/{track}/save").json()["share_link_id"] == link["id"]
    assert_envelope(guest.client.post(_shared(owner.service, link["token"])), "RESOURCE_NOT_FOUND")


def test_own_track_and_one_in_the_library_already_keep_their_source(owner: Person) -> None:
    saved, unsaved = owner.make(2)
    entry = owner.service.save_track(saved, owner.user)
    again = owner.client.post(_shared(owner.service, owner.share(f"tracks/{saved}")["token"])).json()
    assert (again["id"], again["source"], again["share_link_id"]) == (entry, "own", None)
    link = owner.share(f"tracks/{unsaved}")
    own = owner.client.post(_shared(owner.service, link["token"])).json()
    assert (own["source"], own["share_link_id"]) == ("own", link["id"])


def test_track_taken_out_of_the_library_is_saved_anew(owner: Person, guest: Person) -> None:
    [track] = owner.make()
    first, second = owner.share(f"tracks/{track}"), owner.share(f"tracks/{track}")
    entry = guest.client.post(_shared(owner.service, first["token"])).json()
    guest.client.delete(f"tracks/{track}/save")
    assert_envelope(guest.client.get(f"tracks/{track}"), "RESOURCE_NOT_FOUND")
    again = guest.client.post(_shared(owner.service, second["token"])).json()
    assert (again["id"], again["share_link_id"]) == (entry["id"], second["id"])
    assert guest.client.get(f"tracks/{track}").status_code == 200


def test_what_cannot_be_saved(owner: Person, guest: Person) -> None:
    [track] = owner.make()
    collection, gone = new_collection(owner.client)["id"], owner.share(f"tracks/{track}")
    link = owner.share(f"collections/{collection}")
    assert_envelope(guest.client.post(_shared(owner.service, link["token"])), "NOT_SAVABLE")
    owner.client.delete(f"tracks/{track}")
    error = assert_envelope(guest.client.post(_shared(owner.service, gone["token"])), "RESOURCE_NOT_FOUND")
    assert error["details"] == {}
    assert guest.client.get("tracks").json()["items"] == []


def test_caller_with_several_organizations_names_one(owner: Person, services: Services) -> None:
    guest, [track] = _person(owner.service, AWAY), owner.make()
    service = services.variant(owner.service, JWT_SECRET=SECRET)
    claims = {"sub": guest.user, "exp": int(time.time()) + 60, "scope": "music:read music:write"}
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))
    client, url = service.client(), _shared(service, owner.share(f"tracks/{track}")["token"])
    client.headers["Authorization"] = f"Bearer {token}"
    assert client.post(url).headers["Location"].startswith(f"/v1/music/{AWAY}/")
    service.key(guest.user, HOME)
    assert_envelope(client.post(url), "AMBIGUOUS_ORGANIZATION")
    assert_envelope(client.post(url, json={}), "AMBIGUOUS_ORGANIZATION")
    for theirs in ("org_none1", "org_abc123"):
        error = assert_envelope(client.post(url, json={"organization_id": theirs}), "ORGANIZATION_ACCESS_DENIED")
        assert error["details"] == {"organization_id": theirs}
    for organization in (HOME, AWAY):
        response = client.post(url, json={"organization_id": organization})
        assert response.headers["Location"] == f"/v1/music/{organization}/tracks/{track}"
    assert violations(client.post(url, json={"organization_id": "home"})) == {("/organization_id", "pattern")}


def test_parallel_saves_make_one_entry(owner: Person, guest: Person) -> None:
    url = _shared(owner.service, owner.share(f"tracks/{owner.make()[0]}")["token"])
    made = at_once(8, lambda _index: guest.client.post(url).json())
    assert len({entry["id"] for entry in made}) == 1


def _counted(owner: Person, expected: int) -> int:
    """The count of the only link, at most a few seconds after it was resolved."""
    for _ in range(100):
        count: int = owner.links()[0]["resolve_count"]
        if count >= expected:
            break
        time.sleep(0.05)
    return count


def test_resolves_are_counted(owner: Person, anyone: httpx.Client, guest: Person) -> None:
    [track] = owner.make()
    token = owner.share(f"tracks/{track}")["token"]
    for _ in range(3):
        anyone.get(token)
    anyone.head(token)
    anyone.get(token, headers={"Accept": BROWSER})
    anyone.get(token, params={"fbclid": "added by another site"})
    guest.client.post(_shared(owner.service, token))
    owner.client.delete(f"tracks/{track}")
    anyone.get(token)
    assert _counted(owner, 5) == 5


def test_resolves_of_the_last_second_are_written_at_the_end(owner: Person, services: Services) -> None:
    token = owner.share(f"tracks/{owner.make()[0]}")["token"]
    ending = services.start(owner.service.database_url)
    for _ in range(5):
        assert httpx.get(f"{ending.url}/v1/music/shared/{token}", trust_env=False).status_code == 200
    ending.terminate()
    ending.process.wait(30)
    assert owner.links()[0]["resolve_count"] == 5


def test_quota_of_a_token_holds_whether_or_not_it_exists(owner: Person, services: Services) -> None:
    link = owner.share(f"tracks/{owner.make()[0]}")
    limited = services.variant(owner.service, RATE_LIMIT="", RATE_LIMIT_SHARES="3/day")
    client, answers = limited.client(), {}
    for token in (link["token"], *_dead(owner).values()):
        responses = [client.get(f"{limited.url}/v1/music/shared/{token}") for _ in range(4)]
        assert len({response.status_code for response in responses[:3]}) == 1
        error = assert_envelope(responses[3], "RATE_LIMIT_EXCEEDED")
        assert responses[3].headers["RateLimit-Policy"] == '"shares";q=3;w=86400'
        assert error["details"].keys() == {"retry_after"}
        answers[token] = responses[3].headers["RateLimit"].partition(";t=")[0]
    assert {*answers.values()} == {'"shares";r=0'}


def test_token_is_in_no_log_line(owner: Person, anyone: httpx.Client) -> None:
    tokens = [owner.share(f"tracks/{owner.make()[0]}")["token"], *_dead(owner).values()]
    for token in tokens[:4]:
        anyone.get(token, headers={"X-Request-ID": token, "Referer": f"{owner.service.url}/shared/{token}"})
        anyone.get(f"{token}/nothing")
        owner.client.post(_shared(owner.service, token), content=b"{")
        shown = anyone.get("shr_0", params={token: token}).text
        assert token not in shown
    owner.service.await_log("resolve_share")
    assert not [token for token in tokens[:4] if token in owner.service.log_text()]


def test_database_has_no_token(owner: Person) -> None:
    token = owner.share(f"tracks/{owner.make()[0]}")["token"]
    with owner.service.use_database():
        digests = [row.digest for row in connection.fetch_all(select(share_tokens.c.digest))]
    assert digests
    assert all(len(digest) == 32 and token.encode() not in digest for digest in digests)


def test_resolves_of_a_closed_database_are_no_failure(tmp_path: Path) -> None:
    """The loop of an application that is closed without a lifespan may still hold what was counted."""
    database = Database(f"sqlite:///{tmp_path}/closed.db")

    async def count() -> None:
        counter = ResolveCounter(database)
        counter.count(("org", "mslink_000000000000"))
        database.close()
        await counter.flush()

    with capture_logs() as logged:
        asyncio.run(count())
    assert logged == []


def test_links_of_one_who_leaves_are_revoked(owner: Person, anyone: httpx.Client) -> None:
    mine = [owner.share(f"tracks/{track}") for track in owner.make(3)]
    owner.client.delete(f"share/{mine[0]['id']}")
    colleague = _person(owner.service)
    theirs = colleague.share(f"tracks/{colleague.make()[0]}")
    with owner.service.use_database():
        assert shares.revoke_all_of(HOME, owner.user) == 2
        assert shares.revoke_all_of(HOME, owner.user) == 0
    assert [anyone.get(link["token"]).status_code for link in [*mine, theirs]] == [404, 404, 404, 200]
