"""Random sequences of all operations by several users, each answer compared with the reference in memory."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from endure.shelf import Held, Shelf
from tests.harness import NO_TRACK, NOBODYS, Actors

PEOPLE = ("alice", "bob", "mallory")
NO_VERSION = -1

people = st.sampled_from(("alice", "alice", "bob", "mallory"))
# Most requests come from the owner, without a condition and for tracks that exist: the others change nothing, and a
# sequence that changes nothing finds nothing.
askers = st.sampled_from(("owner",) * 6 + PEOPLE)
# Indexes, not ids: the ids are made anew by every server, and a failing example must fit the next one.
track_indexes = st.integers(0, 7)
strangers = st.sampled_from([-1, -2])
some_tracks = st.integers(0, 19).map(lambda number: number % 8 if number < 18 else 17 - number)
texts = st.sampled_from(["Focus", "Rain", "\N{GRINNING FACE}", "e\u0301", "x" * 512, " a "])
covers = st.none() | track_indexes | strangers
changes = st.fixed_dictionaries(
    {},
    optional={
        "name": texts,
        "description": st.none() | texts,
        "cover_track_id": covers,
        "cover_image_url": st.none() | st.just("https://a.example/b"),
    },
)
# What If-Match says, relative to the version that the collection has.
matches = st.sampled_from([None] * 6 + ["any", "current", "current", "older", "newer", "nonsense"])


class Machine(RuleBasedStateMachine):
    """Three users of one server; `actors` is set by who runs it."""

    actors: Actors

    def __init__(self) -> None:
        super().__init__()
        self.clients = {name: self.actors.service.client(self.actors.secrets[name]) for name in PEOPLE}
        self.shelf = Shelf(self.actors.tracks)
        for name in ("alice", "bob"):
            _clear(self.clients[name])

    names = Bundle("names")
    known = st.one_of(names, names, names, names, names, names, st.just(NOBODYS))

    @initialize(target=names, indexes=st.lists(track_indexes, min_size=3, max_size=6, unique=True))
    def start_with_a_full_one(self, indexes: list[int]) -> str:
        made: str = self.clients["alice"].post("collections", json={"name": "Full"}).json()["id"]
        self.shelf.create("alice", made, {"name": "Full"})
        for index in indexes:
            self.add_collection_track("owner", made, index, None, keyed=False)
        return made

    @rule(target=names, who=people, name=texts, rest=changes, keyed=st.booleans())
    def create_collection(self, who: str, name: str, rest: dict[str, Any], keyed: bool) -> Any:
        fields = self._fields(rest) | {"name": name}
        headers = {"Idempotency-Key": secrets.token_hex(8)} if keyed else {}
        answer = self.clients[who].post("collections", json=fields, headers=headers)
        expected = 403 if who == "mallory" else self.shelf.refusal_of_fields(fields) or 201
        assert answer.status_code == expected, answer.text
        again = self.clients[who].post("collections", json=fields, headers=headers) if keyed else answer
        assert (again.status_code, again.headers.get("ETag")) == (expected, answer.headers.get("ETag"))
        if expected != 201:
            return multiple()
        assert again.content == answer.content
        made: str = answer.json()["id"]
        self.shelf.create(who, made, fields)
        self._check_shown(answer, made, self.shelf.held[made])
        return made

    @rule(who=people, limit=st.integers(1, 4), offset=st.integers(0, 4))
    def list_collections(self, who: str, limit: int, offset: int) -> None:
        answer = self.clients[who].get("collections", params={"limit": limit, "offset": offset})
        if who == "mallory":
            assert answer.status_code == 403, answer.text
            return
        page = answer.json()
        assert (answer.status_code, page["limit"], page["offset"]) == (200, limit, offset)
        assert [item["id"] for item in page["items"]] == self.shelf.listed(who)[offset : offset + limit]
        for item in page["items"]:
            assert item["track_count"] is None
            assert item.items() >= self.shelf.held[item["id"]].fields.items()

    @rule(who=askers, name=known, match=matches)
    def get_collection(self, who: str, name: str, match: str | None) -> None:
        who = self._person(who, name)
        held = self.shelf.seen(who, name)
        known = self._if(match, held)[1].get("If-Match")
        answer = self.clients[who].get(f"collections/{name}", headers={"If-None-Match": known} if known else {})
        if held is None:
            assert answer.status_code == 404, answer.text
        elif match in ("any", "current"):
            assert (answer.status_code, answer.headers["ETag"]) == (304, f'"{held.version}"')
        else:
            assert answer.status_code == 200, answer.text
            self._check_shown(answer, name, held)

    @rule(who=askers, name=known, limit=st.integers(1, 9), offset=st.integers(0, 9))
    def list_collection_tracks(self, who: str, name: str, limit: int, offset: int) -> None:
        who = self._person(who, name)
        held = self.shelf.seen(who, name)
        answer = self.clients[who].get(f"collections/{name}/tracks", params={"limit": limit, "offset": offset})
        if held is None:
            assert answer.status_code == 404, answer.text
            return
        assert (answer.status_code, answer.headers["ETag"]) == (200, f'"{held.version}"')
        shown = [(item["position"], item["track_id"]) for item in answer.json()["items"]]
        assert shown == list(enumerate(held.tracks))[offset : offset + limit]

    @rule(who=askers, name=known, change=changes, match=matches)
    def update_collection(self, who: str, name: str, change: dict[str, Any], match: str | None) -> None:
        who = self._person(who, name)
        fields = self._fields(change)
        expected, headers = self._if(match, self.shelf.seen(who, name))
        answer = self.clients[who].patch(f"collections/{name}", json=fields, headers=headers)
        self._check(answer, self.shelf.update(who, name, fields, expected), who, name)

    @rule(who=askers, name=known, match=matches)
    def delete_collection(self, who: str, name: str, match: str | None) -> None:
        who = self._person(who, name)
        expected, headers = self._if(match, self.shelf.seen(who, name))
        answer = self.clients[who].delete(f"collections/{name}", headers=headers)
        self._check(answer, self.shelf.delete(who, name, expected), who, name)

    @rule(who=askers, name=known, index=some_tracks, match=matches, keyed=st.booleans())
    def add_collection_track(self, who: str, name: str, index: int, match: str | None, keyed: bool) -> None:
        who = self._person(who, name)
        expected, headers = self._if(match, self.shelf.seen(who, name))
        headers |= {"Idempotency-Key": secrets.token_hex(8)} if keyed else {}
        track = self._track(index)
        answer = self.clients[who].post(f"collections/{name}/tracks", json={"track_id": track}, headers=headers)
        self._check(answer, self.shelf.add(who, name, track, expected), who, name)

    @rule(who=askers, name=known, index=some_tracks, match=matches)
    def remove_collection_track(self, who: str, name: str, index: int, match: str | None) -> None:
        who = self._person(who, name)
        expected, headers = self._if(match, self.shelf.seen(who, name))
        track = self._track(index)
        answer = self.clients[who].delete(f"collections/{name}/tracks/{track}", headers=headers)
        self._check(answer, self.shelf.remove(who, name, track, expected), who, name)

    @rule(
        who=askers,
        name=known,
        wish=st.lists(some_tracks, max_size=6, unique=True) | st.lists(some_tracks, max_size=6),
        match=matches,
    )
    def reorder_collection(self, who: str, name: str, wish: list[int], match: str | None) -> None:
        who = self._person(who, name)
        expected, headers = self._if(match, self.shelf.seen(who, name))
        ids = [self._track(index) for index in wish]
        answer = self.clients[who].patch(f"collections/{name}/order", json={"ordered_track_ids": ids}, headers=headers)
        self._check(answer, self.shelf.reorder(who, name, ids, expected), who, name)

    def teardown(self) -> None:
        """What is listed at the end is what is on the shelf."""
        for name in ("alice", "bob"):
            listed = [item["id"] for item in self.clients[name].get("collections").json()["items"]]
            assert listed == self.shelf.listed(name)[:50]
        for client in self.clients.values():
            client.close()

    def _check(self, answer: httpx.Response, expected: int, who: str, name: str) -> None:
        """The answer's status, and that the collection is now what it should be."""
        assert answer.status_code == expected, answer.text
        held = self.shelf.seen(who, name)
        if held is None:
            return
        client = self.clients[who]
        self._check_shown(client.get(f"collections/{name}"), name, held)
        page = client.get(f"collections/{name}/tracks")
        assert [(item["position"], item["track_id"]) for item in page.json()["items"]] == [*enumerate(held.tracks)]
        assert page.headers["ETag"] == f'"{held.version}"'

    @staticmethod
    def _check_shown(answer: httpx.Response, name: str, held: Held) -> None:
        shown = answer.json()
        expected = {"id": name, "track_count": len(held.tracks)} | held.fields
        assert {field: shown[field] for field in expected} == expected
        assert answer.headers["ETag"] == f'"{held.version}"'
        assert shown["updated_at"] >= shown["created_at"]

    @staticmethod
    def _if(match: str | None, held: Held | None) -> tuple[int | None, dict[str, str]]:
        """The version that the reference compares with, and the header that says so."""
        if match is None:
            return None, {}
        if match in ("any", "nonsense"):
            return (None, {"If-Match": "*"}) if match == "any" else (NO_VERSION, {"If-Match": '"v1"'})
        version = (1 if held is None else held.version) + {"current": 0, "older": -1, "newer": 1}[match]
        return version, {"If-Match": f'"{version}"'}

    def _person(self, who: str, name: str) -> str:
        held = self.shelf.held.get(name)
        return ("alice" if held is None else held.owner) if who == "owner" else who

    def _track(self, index: int) -> str:
        """A track of the organization, or one of another (-1), or none (-2)."""
        return {-1: self.actors.foreign_track, -2: NO_TRACK}.get(index) or self.actors.tracks[index]

    def _fields(self, change: Mapping[str, Any]) -> dict[str, Any]:
        cover = change.get("cover_track_id")
        return dict(change) if cover is None else dict(change) | {"cover_track_id": self._track(cover)}


def _clear(client: httpx.Client) -> None:
    while items := client.get("collections").json()["items"]:
        for item in items:
            client.delete(f"collections/{item['id']}")
