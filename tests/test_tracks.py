"""Tracks and the library: what is heard, saved, listed and deleted, through HTTP."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import httpx
import pytest
from sqlalchemy import select

from models.base import new_id, now
from models.db import connection
from models.schema import library_entries, tracks
from tools.testing.service import (
    AWAY,
    HOME,
    NO_COLLECTION,
    NO_TRACK,
    ON_DATABASES,
    Service,
    add_all,
    assert_envelope,
    at_once,
    new_collection,
    order_of,
    violations,
)

TRACK_FIELDS = [
    "id",
    "title",
    "engine",
    "mode",
    "measured_duration_seconds",
    "instrumental",
    "licence_class",
    "commercial_use",
    "requires_attribution",
    "created_at",
    "playback_url",
    "stem_urls",
]


class Person(NamedTuple):
    """A user of these tests with no data but what the test makes."""

    service: Service
    user: str
    organization: str
    client: httpx.Client

    def make(self, count: int = 1) -> list[str]:
        """The ids of new tracks, which this user has created and not saved."""
        return self.service.make_tracks(count, self.organization, self.user)

    def library(self, **query: object) -> list[str]:
        response = self.client.get("tracks", params={name: str(value) for name, value in query.items()})
        assert response.status_code == 200, response.text
        return [item["id"] for item in response.json()["items"]]


def _person(service: Service, organization: str = HOME) -> Person:
    user = f"user_{secrets.token_hex(4)}"
    return Person(service, user, organization, service.client(service.key(user, organization)[1], organization))


@pytest.fixture
def creator(server: Service) -> Person:
    return _person(server)


@pytest.fixture
def colleague(server: Service) -> Person:
    return _person(server)


@pytest.fixture
def guest(server: Service) -> Person:
    """A user of another organization."""
    return _person(server, AWAY)


def test_track_is_shown_with_every_field(creator: Person) -> None:
    made = {
        "organization_id": HOME,
        "id": new_id("mtrack_"),
        "creator_id": creator.user,
        "title": None,
        "engine": "studio",
        "mode": "focus",
        "duration_ms": 61_250,
        "instrumental": True,
        "licence_class": "commercial_cleared",
        "commercial_use": True,
        "requires_attribution": False,
        "created_at": datetime(2026, 6, 28, 9, 0, 0, 500, UTC),
    }
    creator.service.write(tracks, [made])
    response = creator.client.get(f"tracks/{made['id']}")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers
    assert list(response.json()) == TRACK_FIELDS
    assert response.json() == {
        "id": made["id"],
        "title": None,
        "engine": "studio",
        "mode": "focus",
        "measured_duration_seconds": 61.25,
        "instrumental": True,
        "licence_class": "commercial_cleared",
        "commercial_use": True,
        "requires_attribution": False,
        "created_at": "2026-06-28T09:00:00Z",
        "playback_url": None,
        "stem_urls": None,
    }


def test_created_track_is_heard_and_in_the_library_only_once_saved(creator: Person) -> None:
    [track] = creator.make()
    assert creator.client.get(f"tracks/{track}").json()["id"] == track
    assert creator.library() == []
    entry = creator.client.post(f"tracks/{track}/save").json()
    assert re.fullmatch("mlib_[0-9a-f]{12}", entry.pop("id"))
    assert abs(datetime.fromisoformat(entry.pop("created_at")) - now()) < timedelta(seconds=30)
    assert entry == {"track_id": track, "source": "own", "saved": True, "share_link_id": None}
    assert creator.library() == [track]


def test_library_lists_the_newest_save_first(creator: Person) -> None:
    made = creator.make(5)
    for track in made:
        creator.client.post(f"tracks/{track}/save")
    assert creator.library() == made[::-1]
    assert creator.library(limit=2) == [made[4], made[3]]
    assert creator.library(limit=2, offset=3) == [made[1], made[0]]
    page = creator.client.get("tracks", params={"limit": 1, "offset": 4}).json()
    assert (page["limit"], page["offset"], [*page["items"][0]]) == (1, 4, TRACK_FIELDS)
    default = creator.client.get("tracks").json()
    assert (default["limit"], default["offset"]) == (50, 0)


def test_saves_of_one_moment_are_ordered_by_id(creator: Person) -> None:
    made = creator.make(6)
    moment, ids = now(), sorted(new_id("mlib_") for _ in made)
    rows = [_entry(creator, track, id=entry, saved_at=moment) for track, entry in zip(made, ids, strict=True)]
    creator.service.write(library_entries, rows)
    assert creator.library() == made[::-1]
    assert [creator.library(limit=1, offset=index)[0] for index in range(6)] == made[::-1]


def test_saving_again_changes_nothing(creator: Person) -> None:
    first, second = creator.make(2)
    entry = creator.client.post(f"tracks/{first}/save").json()
    creator.client.post(f"tracks/{second}/save")
    assert creator.client.post(f"tracks/{first}/save").json() == entry
    assert creator.library() == [second, first]


def test_track_that_is_saved_anew_comes_first_again(creator: Person) -> None:
    first, second = creator.make(2)
    entry = creator.client.post(f"tracks/{first}/save").json()
    creator.client.post(f"tracks/{second}/save")
    assert creator.client.delete(f"tracks/{first}/save").json() == {
        "success": True, "id": first, "detail": "Track removed from library.",
    }  # fmt: skip
    assert creator.library() == [second]
    assert creator.client.post(f"tracks/{first}/save").json()["id"] == entry["id"]
    assert creator.library() == [first, second]


def test_unsaving_is_idempotent_and_the_creator_hears_on(creator: Person) -> None:
    [track] = creator.make()
    for _ in range(2):
        assert creator.client.delete(f"tracks/{track}/save").status_code == 200
    creator.client.post(f"tracks/{track}/save")
    for _ in range(2):
        assert creator.client.delete(f"tracks/{track}/save").status_code == 200
    assert creator.client.get(f"tracks/{track}").status_code == 200


def test_others_hear_a_track_only_while_they_have_saved_it(creator: Person, colleague: Person) -> None:
    [track] = creator.make()
    assert_envelope(colleague.client.delete(f"tracks/{track}/save"), "RESOURCE_NOT_FOUND")
    creator.service.save_track(track, colleague.user)
    assert colleague.library() == [track]
    assert colleague.client.post(f"tracks/{track}/save").json()["source"] == "shared"
    for _ in range(2):
        assert colleague.client.delete(f"tracks/{track}/save").status_code == 200
    assert colleague.library() == []
    assert_envelope(colleague.client.get(f"tracks/{track}"), "RESOURCE_NOT_FOUND")
    assert_envelope(colleague.client.post(f"tracks/{track}/save"), "RESOURCE_NOT_FOUND")


def test_filters_combine(creator: Person) -> None:
    made = creator.make(4)
    kinds = [("studio", "focus"), ("studio", "creation"), ("drift", "focus"), ("drift", "focus")]
    rows = [
        _entry(creator, track, engine=engine, mode=mode, saved_at=now() + timedelta(seconds=index))
        for index, (track, (engine, mode)) in enumerate(zip(made, kinds, strict=True))
    ]
    creator.service.write(library_entries, rows)
    collection = new_collection(creator.client)["id"]
    add_all(creator.client, collection, [made[0], made[3]])
    assert creator.library(mode="focus") == [made[3], made[2], made[0]]
    assert creator.library(engine="studio") == [made[1], made[0]]
    assert creator.library(engine="studio", mode="focus") == [made[0]]
    assert creator.library(engine="nobody") == []
    assert creator.library(collection_id=collection) == [made[3], made[0]]
    assert creator.library(collection_id=collection, engine="drift", mode="focus") == [made[3]]
    assert creator.library(collection_id=collection, limit=1, offset=1) == [made[0]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("mode=loud", ("query/mode", "enum")),
        ("engine=No", ("query/engine", "pattern")),
        ("collection_id=mcoll_1", ("query/collection_id", "pattern")),
        ("limit=101", ("query/limit", "maximum")),
        ("limit=0", ("query/limit", "minimum")),
        ("offset=-1", ("query/offset", "minimum")),
        ("colour=red", ("query/colour", "additionalProperties")),
    ],
)
def test_invalid_filters_are_refused(creator: Person, query: str, found: tuple[str, str]) -> None:
    assert violations(creator.client.get(f"tracks?{query}")) == {found}


def test_foreign_collection_gets_the_404_of_a_missing_one(creator: Person, colleague: Person, guest: Person) -> None:
    theirs, deleted = new_collection(colleague.client)["id"], new_collection(creator.client)["id"]
    creator.client.delete(f"collections/{deleted}")
    for one in (theirs, new_collection(guest.client)["id"], deleted, NO_COLLECTION):
        error = assert_envelope(creator.client.get("tracks", params={"collection_id": one}), "RESOURCE_NOT_FOUND")
        assert error["details"] == {"collection_id": one}
        assert error["system_message"] == "Music collection not found or not owned by caller"


def test_library_of_another_organization_is_denied(creator: Person, guest: Person) -> None:
    for organization in (HOME, "org_nobody"):
        response = guest.client.get(f"{creator.service.url}/v1/music/{organization}/tracks")
        assert_envelope(response, "ORGANIZATION_ACCESS_DENIED")


def test_saved_track_of_another_organization_is_heard_and_listed(creator: Person, guest: Person) -> None:
    theirs, [own] = creator.make(2), guest.make()
    for track, home in ((theirs[0], HOME), (own, AWAY), (theirs[1], HOME)):
        creator.service.save_track(track, guest.user, AWAY, home)
    assert guest.library() == [theirs[1], own, theirs[0]]
    assert guest.client.get(f"tracks/{theirs[0]}").json()["id"] == theirs[0]
    assert guest.client.post(f"tracks/{theirs[0]}/save").json()["source"] == "shared"
    assert_envelope(guest.client.delete(f"tracks/{theirs[0]}"), "INSUFFICIENT_PERMISSIONS")
    assert guest.client.delete(f"tracks/{theirs[0]}/save").status_code == 200
    assert guest.library() == [theirs[1], own]
    assert_envelope(guest.client.get(f"tracks/{theirs[0]}"), "RESOURCE_NOT_FOUND")


def test_only_tracks_that_the_owner_may_hear_become_members_and_covers(
    creator: Person, colleague: Person, guest: Person
) -> None:
    [silent], [heard], [shared] = creator.make(), creator.make(), guest.make()
    creator.service.save_track(heard, colleague.user)
    creator.service.save_track(shared, colleague.user, HOME, AWAY)
    collection = new_collection(colleague.client)["id"]
    for track in (silent, shared, NO_TRACK):
        refused = colleague.client.post(f"collections/{collection}/tracks", json={"track_id": track})
        error = assert_envelope(refused, "RESOURCE_NOT_FOUND")
        assert (error["system_message"], error["details"]) == (
            "Track not found in this organization", {"track_id": track},
        )  # fmt: skip
        for response in (
            colleague.client.post("collections", json={"name": "Covered", "cover_track_id": track}),
            colleague.client.patch(f"collections/{collection}", json={"cover_track_id": track}),
        ):
            assert violations(response) == {("/cover_track_id", "reference")}
    add_all(colleague.client, collection, [heard])
    assert new_collection(colleague.client, cover_track_id=heard)["cover_track_id"] == heard
    assert colleague.client.patch(f"collections/{collection}", json={"cover_track_id": heard}).status_code == 200


def test_member_and_cover_stay_when_they_are_not_heard_any_more(creator: Person, colleague: Person) -> None:
    [track], [own] = creator.make(), colleague.make()
    creator.service.save_track(track, colleague.user)
    collection = new_collection(colleague.client, cover_track_id=track)["id"]
    add_all(colleague.client, collection, [track, own])
    colleague.client.delete(f"tracks/{track}/save")
    path = f"collections/{collection}"
    assert colleague.client.post(f"{path}/tracks", json={"track_id": track}).status_code == 200  # no effect
    assert order_of(colleague.client, collection) == [track, own]
    assert colleague.client.patch(path, json={"cover_track_id": track}).json()["cover_track_id"] == track
    renamed = colleague.client.patch(path, json={"cover_track_id": track, "name": "Kept"})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Kept")
    assert colleague.client.patch(f"{path}/order", json={"ordered_track_ids": [own, track]}).status_code == 200
    assert colleague.client.delete(f"{path}/tracks/{track}").status_code == 200
    assert colleague.client.post(f"{path}/tracks", json={"track_id": track}).status_code == 404


def test_deleted_track_is_hidden_from_everyone(creator: Person, colleague: Person, guest: Person) -> None:
    [track], service = creator.make(), creator.service
    creator.client.post(f"tracks/{track}/save")
    service.save_track(track, colleague.user)
    service.save_track(track, guest.user, AWAY)
    assert_envelope(colleague.client.delete(f"tracks/{track}"), "INSUFFICIENT_PERMISSIONS")
    assert creator.client.delete(f"tracks/{track}").json() == {
        "success": True, "id": track, "detail": "Track deleted.",
    }  # fmt: skip
    for person in (creator, colleague, guest):
        assert person.library() == []
        for response in (
            person.client.get(f"tracks/{track}"),
            person.client.post(f"tracks/{track}/save"),
            person.client.delete(f"tracks/{track}"),
        ):
            assert_envelope(response, "RESOURCE_NOT_FOUND")


def test_collections_keep_the_place_of_a_deleted_track(creator: Person) -> None:
    track, other = creator.make(2)
    collection = new_collection(creator.client, cover_track_id=track)["id"]
    add_all(creator.client, collection, [track, other])
    creator.client.delete(f"tracks/{track}")
    path = f"collections/{collection}"
    shown = creator.client.get(path).json()
    assert (shown["track_count"], shown["cover_track_id"]) == (2, track)
    assert order_of(creator.client, collection) == [track, other]
    elsewhere = new_collection(creator.client)["id"]
    for refused in (
        creator.client.post(f"collections/{elsewhere}/tracks", json={"track_id": track}),
        creator.client.get(f"tracks/{track}"),
    ):
        assert_envelope(refused, "RESOURCE_NOT_FOUND")
    assert creator.client.delete(f"{path}/tracks/{track}").status_code == 200
    assert creator.client.get(path).json()["track_count"] == 1
    assert_envelope(creator.client.post(f"{path}/tracks", json={"track_id": track}), "RESOURCE_NOT_FOUND")


@ON_DATABASES
def test_track_is_saved_or_deleted_and_never_both(creator: Person) -> None:
    """A save waits for a deletion that is not committed yet, and the other way round."""
    for track in creator.make(12):
        statuses = at_once(4, partial(_delete_or_save, creator.client, track))
        assert statuses[0] == 200
        assert {*statuses[1:]} <= {200, 404}
    with creator.service.use_database():
        live = library_entries.c.removed_at.is_(None)
        assert (
            connection.fetch_all(select(library_entries.c.id).where(library_entries.c.user_id == creator.user, live))
            == []
        )


def _delete_or_save(client: httpx.Client, track: str, number: int) -> int:
    return (client.post(f"tracks/{track}/save") if number else client.delete(f"tracks/{track}")).status_code


def test_request_without_a_seal_plays_nothing(creator: Person) -> None:
    [track] = creator.make()
    address = f"{creator.service.url}/v1/music/audio/{track}.mp3"
    assert_envelope(creator.service.client().get(f"{address}?sig=forged"), "PLAYBACK_URL_INVALID")


def _entry(person: Person, track: str, **values: Any) -> dict[str, Any]:
    return {
        "organization_id": person.organization,
        "user_id": person.user,
        "id": new_id("mlib_"),
        "track_organization_id": person.organization,
        "track_id": track,
        "source": "own",
        "engine": "import",
        "mode": "creation",
        "saved_at": now(),
    } | values
