"""Random sequences of all operations by several users, sent to a server and to a model, which must answer alike."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from tools.testing.service import NO_TRACK, NOBODYS, Actors

PEOPLE = ("alice", "bob", "mallory")
# What the two choose by themselves; ids of collections and tracks are told apart, and all else must be the same.
CHOSEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|req_[0-9a-f]{16}")
COMPARED = ("Allow", "Content-Type", "ETag", "Idempotent-Replayed", "Location", "Retry-After", "WWW-Authenticate")

people = st.sampled_from(("alice", "alice", "bob", "mallory"))
# Most requests come from the owner, without a condition and for tracks that exist: the others change nothing, and a
# sequence that changes nothing finds nothing.
askers = st.sampled_from(("owner",) * 6 + PEOPLE)
tracks = st.integers(0, 7).map(lambda index: f"<track {index}>")
strangers = st.sampled_from(["<foreign track>", "<no track>"])
some_tracks = st.integers(0, 19).flatmap(lambda number: tracks if number < 18 else strangers)
texts = st.sampled_from(["Focus", "Rain", "\N{GRINNING FACE}", "e\u0301", "x" * 512, " a ", ""])
covers = st.none() | tracks | strangers
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


class Side:
    """One of the two servers; a request says `<track 1>` where each puts an id of its own."""

    def __init__(self, actors: Actors) -> None:
        self.clients = {name: actors.service.client(actors.secrets[name]) for name in PEOPLE}
        own = {f"<track {index}>": track for index, track in enumerate(actors.tracks)}
        self.ids = own | {"<foreign track>": actors.foreign_track, "<no track>": NO_TRACK, "<nothing>": NOBODYS}
        for name in ("alice", "bob"):
            _clear(self.clients[name])

    def ask(self, who: str, method: str, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
        content = None if body is None else self._own(json.dumps(body)).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        return self.clients[who].request(method, self._own(path), content=content, headers={**kind, **headers})

    def _own(self, text: str) -> str:
        for word, own in self.ids.items():
            text = text.replace(word, own)
        return text

    def plain(self, answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
        """The answer with words in the places of ids, and without what the server may choose."""
        told = {name: self._plain(answer.headers[name]) for name in COMPARED if name in answer.headers}
        return answer.status_code, self._plain(answer.text), told

    def _plain(self, text: str) -> str:
        for word, own in self.ids.items():
            text = text.replace(own, word)
        return CHOSEN.sub("<chosen>", text)


class Held(NamedTuple):
    """A collection by the word for its id."""

    word: str
    owner: str


NOTHING = Held("<nothing>", "alice")


class Machine(RuleBasedStateMachine):
    """Three users of one server and of the reference model; who runs it sets `actors` and `modelled`."""

    actors: Actors
    modelled: Actors

    def __init__(self) -> None:
        super().__init__()
        self.sides = (Side(self.actors), Side(self.modelled))
        self.made = 0

    names = Bundle("names")
    known = st.integers(0, 9).flatmap(lambda number: Machine.names if number else st.just(NOTHING))

    @initialize(target=names, members=st.lists(tracks, min_size=3, max_size=6, unique=True))
    def start_with_a_full_one(self, members: list[str]) -> Held:
        word = self._create("alice", {"name": "Full"}, {})
        assert word is not None
        made = Held(word, "alice")
        for track in members:
            self._ask("alice", "POST", f"collections/{made.word}/tracks", {"track_id": track})
        return made

    @rule(target=names, who=people, name=texts, rest=changes, keyed=st.booleans())
    def create_collection(self, who: str, name: str, rest: dict[str, Any], keyed: bool) -> Any:
        headers = {"Idempotency-Key": secrets.token_hex(8)} if keyed else {}
        word = self._create(who, rest | {"name": name}, headers)
        if keyed and word is not None:  # a refusal is not kept, so the key would be free for the next request
            self._ask(who, "POST", "collections", rest | {"name": name}, headers)
            self._ask(who, "POST", "collections", {"name": "Another"}, headers)
        return multiple() if word is None else Held(word, who)

    @rule(who=people, limit=st.integers(0, 4), offset=st.integers(0, 4))
    def list_collections(self, who: str, limit: int, offset: int) -> None:
        self._ask(who, "GET", f"collections?limit={limit}&offset={offset}")

    @rule(who=askers, name=known, match=matches)
    def get_collection(self, who: str, name: Held, match: str | None) -> None:
        headers = self._if("If-None-Match", match, name)
        self._ask(_person(who, name), "GET", f"collections/{name.word}", None, headers)

    @rule(who=askers, name=known, limit=st.integers(1, 9), offset=st.integers(0, 9), match=matches)
    def list_collection_tracks(self, who: str, name: Held, limit: int, offset: int, match: str | None) -> None:
        path = f"collections/{name.word}/tracks?limit={limit}&offset={offset}"
        self._ask(_person(who, name), "GET", path, None, self._if("If-None-Match", match, name))

    @rule(who=askers, name=known, change=changes, match=matches)
    def update_collection(self, who: str, name: Held, change: dict[str, Any], match: str | None) -> None:
        self._change(who, name, "PATCH", "", change, match)

    # What is gone is not asked for any more, else most of a sequence would be about nothing.
    @rule(target=names, who=askers, name=consumes(names), match=matches)
    def delete_collection(self, who: str, name: Held, match: str | None) -> Any:
        self._change(who, name, "DELETE", "", None, match)
        self._change(who, name, "DELETE", "/tracks/<track 0>", None, None)
        gone = self.sides[1].ask(name.owner, "GET", f"collections/{name.word}", None, {}).status_code == 404
        return multiple() if gone else name

    @rule(who=askers, name=known, track=some_tracks, match=matches, keyed=st.booleans())
    def add_collection_track(self, who: str, name: Held, track: str, match: str | None, keyed: bool) -> None:
        headers = {"Idempotency-Key": secrets.token_hex(8)} if keyed else {}
        for _ in range(1 + keyed):
            self._change(who, name, "POST", "/tracks", {"track_id": track}, match, headers)

    @rule(who=askers, name=known, track=some_tracks, match=matches)
    def remove_collection_track(self, who: str, name: Held, track: str, match: str | None) -> None:
        self._change(who, name, "DELETE", f"/tracks/{track}", None, match)

    @rule(
        who=askers,
        name=known,
        wish=st.lists(some_tracks, max_size=6, unique=True) | st.lists(some_tracks, max_size=6),
        match=matches,
    )
    def reorder_collection(self, who: str, name: Held, wish: list[str], match: str | None) -> None:
        self._change(who, name, "PATCH", "/order", {"ordered_track_ids": wish}, match)

    def teardown(self) -> None:
        """Both list the same at the end."""
        for name in ("alice", "bob"):
            self._ask(name, "GET", "collections")
        for side in self.sides:
            for client in side.clients.values():
                client.close()

    def _create(self, who: str, body: Any, headers: Mapping[str, str]) -> str | None:
        """The word for what was made, if it was made."""
        answers = [side.ask(who, "POST", "collections", body, headers) for side in self.sides]
        word = None
        if all(answer.status_code == 201 for answer in answers):
            self.made += 1
            word = f"<collection {self.made}>"
            for side, answer in zip(self.sides, answers, strict=True):
                side.ids[word] = answer.json()["id"]
        self._compare(answers, f"{who} POST collections {body}")
        return word

    def _change(
        self,
        who: str,
        name: Held,
        method: str,
        rest: str,
        body: Any,
        match: str | None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Ask for a change, and then see that the collection and its tracks are the same on both."""
        path = f"collections/{name.word}"
        conditions = self._if("If-Match", match, name)
        self._ask(_person(who, name), method, path + rest, body, {**conditions, **(headers or {})})
        self._ask(name.owner, "GET", path)
        self._ask(name.owner, "GET", f"{path}/tracks")

    def _ask(
        self, who: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        answers = [side.ask(who, method, path, body, headers or {}) for side in self.sides]
        self._compare(answers, f"{who} {method} {path} {body} {headers}")

    def _compare(self, answers: list[httpx.Response], request: str) -> None:
        served, modelled = (side.plain(answer) for side, answer in zip(self.sides, answers, strict=True))
        assert served == modelled, f"{request}\nthe server: {served}\nthe model:  {modelled}"
        assert served[0] < 500, served

    def _if(self, field: str, match: str | None, name: Held) -> dict[str, str]:
        """The condition, relative to the version that the model has."""
        if match is None:
            return {}
        shown = self.sides[1].ask(name.owner, "GET", f"collections/{name.word}", None, {})
        version = int(shown.headers.get("ETag", '"1"').strip('"'))
        tags = {"current": version, "older": version - 1, "newer": version + 1, "nonsense": "v1"}
        return {field: "*" if match == "any" else f'"{tags[match]}"'}


def _person(who: str, name: Held) -> str:
    return name.owner if who == "owner" else who


def _clear(client: httpx.Client) -> None:
    while items := client.get("collections").json()["items"]:
        for item in items:
            client.delete(f"collections/{item['id']}")
