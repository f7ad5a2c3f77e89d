"""State machine: random operations by three users, with the same responses from a server and the reference model."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from tools.testing.reference_jobs import STEPS
from tools.testing.service import ALICE, AWAY, BOB, NO_COLLECTION, NO_JOB, NO_SHARE, NO_TOKEN, NO_TRACK, Actors

PEOPLE = ("alice", "bob", "mallory")
PEOPLE_IDS = {"alice": ALICE, "bob": BOB}
# Values that differ between server and model; ids are replaced by placeholders, all else must be equal.
CHOSEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|req_[0-9a-f]{16}|mlib_[0-9a-f]{12}|(?<=\"resolve_count\":)\d+")
COMPARED = ("Allow", "Content-Type", "ETag", "Idempotent-Replayed", "Location", "Retry-After", "WWW-Authenticate")

people = st.sampled_from(("alice", "alice", "bob", "mallory"))
# Most requests come from the owner, without If-Match and with existing tracks, because others change nothing.
senders = st.sampled_from(("owner",) * 6 + PEOPLE)
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
terms = st.none() | st.fixed_dictionaries(
    {}, optional={"visibility": st.sampled_from(["link_only", "public", "x"]), "expires_in_days": st.integers(0, 200)}
)
# Values of If-Match, relative to the current version.
prompts = st.sampled_from(["rain", "slow harp", "x" * 2001, ""])
orders = st.fixed_dictionaries(
    {
        "engine": st.sampled_from(["studio", "studio", "drift", "nobody"]),
        "prompt": prompts,
        "duration_seconds": st.sampled_from([1, 30, 0, 100_000]),
    },
    optional={"title": texts, "mode": st.sampled_from(["creation", "x"]), "seed_track_id": some_tracks},
)
statuses = st.sampled_from(["queued", "running", "succeeded", "failed", "refused", "cancelled", "x"])
matches = st.sampled_from([None] * 6 + ["any", "current", "current", "older", "newer", "nonsense"])


class Side:
    """One of the two servers; placeholders such as `<track 1>` stand for its own ids."""

    def __init__(self, actors: Actors) -> None:
        self.service = actors.service
        self.clients = {name: actors.service.client(actors.secrets[name]) for name in PEOPLE}
        own = {f"<track {index}>": track for index, track in enumerate(actors.tracks)}
        absent = {"<no track>": NO_TRACK, "<nothing>": NO_COLLECTION, "<no link>": NO_SHARE, "<no token>": NO_TOKEN}
        self.ids = (
            own
            | absent
            | {"<no job>": NO_JOB}
            | {"<foreign track>": actors.foreign_track, "<server>": actors.service.url}
        )
        for name in ("alice", "bob"):
            _clear(self.clients[name])
        with actors.service.client(actors.secrets["mallory"], AWAY) as away:
            _clear(away)
        for user in (ALICE, BOB):
            self.service.forget_links(user)
            self.service.forget_jobs(user)

    def ask(self, who: str, method: str, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
        content = None if body is None else self._own(json.dumps(body)).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        return self.clients[who].request(method, self._own(path), content=content, headers={**kind, **headers})

    def _own(self, text: str) -> str:
        for placeholder, own in self.ids.items():
            text = text.replace(placeholder, own)
        return text

    def give(self, track: str) -> None:
        """Puts a track of alice's into bob's library, as an import does."""
        self.service.save_track(self._own(track), BOB)

    def advance(self, job: JobRef, step: str) -> None:
        """Lets a worker do a step with a job; a track that it makes gets its placeholder."""
        made = self.service.advance(PEOPLE_IDS[job.owner], self.ids[job.placeholder], step)
        if made is not None:
            self.ids[job.track] = made

    def plain(self, response: httpx.Response) -> tuple[int, str, dict[str, str]]:
        """The response with placeholders for ids, and without values that differ between servers."""
        headers = {name: self._plain(response.headers[name]) for name in COMPARED if name in response.headers}
        return response.status_code, self._plain(response.text), headers

    def _plain(self, text: str) -> str:
        for placeholder, own in self.ids.items():
            text = text.replace(own, placeholder)
        return CHOSEN.sub("<chosen>", text)


class CollectionRef(NamedTuple):
    """A collection by the placeholder of its id."""

    placeholder: str
    owner: str


class LinkRef(NamedTuple):
    """A share link by the placeholders of its id and its token."""

    placeholder: str
    token: str
    owner: str


class JobRef(NamedTuple):
    """A job by the placeholders of its id and of the track that it may make."""

    placeholder: str
    track: str
    owner: str


NOTHING = CollectionRef("<nothing>", "alice")
NO_PIECE = JobRef("<no job>", "<no track>", "alice")
NO_LINK = LinkRef("<no link>", "<no token>", "alice")


class Machine(RuleBasedStateMachine):
    """Three users of one server and of the reference model; set `actors` and `modelled` before a run."""

    actors: Actors
    modelled: Actors

    def __init__(self) -> None:
        super().__init__()
        self.sides = (Side(self.actors), Side(self.modelled))
        self.made = 0

    names = Bundle("names")
    links = Bundle("links")
    jobs = Bundle("jobs")
    asked = st.integers(0, 9).flatmap(lambda number: Machine.jobs if number else st.just(NO_PIECE))
    shared = st.integers(0, 9).flatmap(lambda number: Machine.links if number else st.just(NO_LINK))
    known = st.integers(0, 9).flatmap(lambda number: Machine.names if number else st.just(NOTHING))

    @initialize(target=links, track=tracks)
    def create_link(self, track: str) -> Any:
        return self._share("alice", f"tracks/{track}", None)

    @initialize(target=jobs)
    def create_job(self) -> Any:
        return self._order("alice", {"engine": "studio", "prompt": "rain", "duration_seconds": 1}, {})

    @initialize(target=names, members=st.lists(tracks, min_size=3, max_size=6, unique=True))
    def create_filled_collection(self, members: list[str]) -> CollectionRef:
        placeholder = self._create("alice", {"name": "Full"}, {})
        assert placeholder is not None
        made = CollectionRef(placeholder, "alice")
        for track in members:
            self._ask("alice", "POST", f"collections/{made.placeholder}/tracks", {"track_id": track})
        return made

    @rule(target=names, who=people, name=texts, rest=changes, keyed=st.booleans())
    def create_collection(self, who: str, name: str, rest: dict[str, Any], keyed: bool) -> Any:
        headers = {"Idempotency-Key": secrets.token_hex(8)} if keyed else {}
        placeholder = self._create(who, rest | {"name": name}, headers)
        if keyed and placeholder is not None:  # an error is not stored, so the key would be free for the next request
            self._ask(who, "POST", "collections", rest | {"name": name}, headers)
            self._ask(who, "POST", "collections", {"name": "Another"}, headers)
        return multiple() if placeholder is None else CollectionRef(placeholder, who)

    @rule(who=people, limit=st.integers(0, 4), offset=st.integers(0, 4))
    def list_collections(self, who: str, limit: int, offset: int) -> None:
        self._ask(who, "GET", f"collections?limit={limit}&offset={offset}")

    @rule(who=senders, name=known, match=matches)
    def get_collection(self, who: str, name: CollectionRef, match: str | None) -> None:
        headers = self._if("If-None-Match", match, name)
        self._ask(_person(who, name), "GET", f"collections/{name.placeholder}", None, headers)

    @rule(who=senders, name=known, limit=st.integers(1, 9), offset=st.integers(0, 9), match=matches)
    def list_collection_tracks(self, who: str, name: CollectionRef, limit: int, offset: int, match: str | None) -> None:
        path = f"collections/{name.placeholder}/tracks?limit={limit}&offset={offset}"
        self._ask(_person(who, name), "GET", path, None, self._if("If-None-Match", match, name))

    @rule(who=senders, name=known, change=changes, match=matches, keyed=st.booleans())
    def update_collection(
        self, who: str, name: CollectionRef, change: dict[str, Any], match: str | None, keyed: bool
    ) -> None:
        self._change(who, name, "PATCH", "", change, match, keyed)

    # A deleted collection is not used again, else most of a sequence would get 404.
    @rule(target=names, who=senders, name=consumes(names), match=matches, keyed=st.booleans())
    def delete_collection(self, who: str, name: CollectionRef, match: str | None, keyed: bool) -> Any:
        self._change(who, name, "DELETE", "", None, match, keyed)
        self._change(who, name, "DELETE", "/tracks/<track 0>", None, None)
        gone = self.sides[1].ask(name.owner, "GET", f"collections/{name.placeholder}", None, {}).status_code == 404
        return multiple() if gone else name

    @rule(who=senders, name=known, track=some_tracks, match=matches, keyed=st.booleans())
    def add_collection_track(self, who: str, name: CollectionRef, track: str, match: str | None, keyed: bool) -> None:
        self._change(who, name, "POST", "/tracks", {"track_id": track}, match, keyed)

    @rule(who=senders, name=known, track=some_tracks, match=matches, keyed=st.booleans())
    def remove_collection_track(
        self, who: str, name: CollectionRef, track: str, match: str | None, keyed: bool
    ) -> None:
        self._change(who, name, "DELETE", f"/tracks/{track}", None, match, keyed)

    @rule(
        who=senders,
        name=known,
        order=st.lists(some_tracks, max_size=6, unique=True) | st.lists(some_tracks, max_size=6),
        match=matches,
        keyed=st.booleans(),
    )
    def reorder_collection(
        self, who: str, name: CollectionRef, order: list[str], match: str | None, keyed: bool
    ) -> None:
        self._change(who, name, "PATCH", "/order", {"ordered_track_ids": order}, match, keyed)

    @rule(who=people, limit=st.integers(1, 4), offset=st.integers(0, 4))
    def list_tracks(self, who: str, limit: int, offset: int) -> None:
        self._ask(who, "GET", f"tracks?limit={limit}&offset={offset}")

    @rule(who=people, track=some_tracks)
    def get_track(self, who: str, track: str) -> None:
        self._ask(who, "GET", f"tracks/{track}")

    @rule(who=people, track=some_tracks)
    def save_track(self, who: str, track: str) -> None:
        self._ask(who, "POST", f"tracks/{track}/save")

    @rule(who=people, track=some_tracks)
    def unsave_track(self, who: str, track: str) -> None:
        self._ask(who, "DELETE", f"tracks/{track}/save")

    # The tracks belong to alice, and other tests need them.
    @rule(who=st.sampled_from(("bob", "mallory")), track=some_tracks)
    def delete_track_of_another_user(self, who: str, track: str) -> None:
        self._ask(who, "DELETE", f"tracks/{track}")

    @rule(track=tracks)
    def give_track(self, track: str) -> None:
        for side in self.sides:
            side.give(track)

    @rule(target=links, who=people, track=some_tracks, terms=terms)
    def share_track(self, who: str, track: str, terms: dict[str, Any] | None) -> Any:
        return self._share(who, f"tracks/{track}", terms)

    @rule(target=links, who=senders, name=known, terms=terms)
    def share_collection(self, who: str, name: CollectionRef, terms: dict[str, Any] | None) -> Any:
        return self._share(_person(who, name), f"collections/{name.placeholder}", terms)

    @rule(who=people, limit=st.integers(1, 4), offset=st.integers(0, 4))
    def list_shares(self, who: str, limit: int, offset: int) -> None:
        self._ask(who, "GET", f"share?limit={limit}&offset={offset}")

    @rule(who=people, link=shared)
    def resolve_share(self, who: str, link: LinkRef) -> None:
        self._ask(who, "GET", f"<server>/v1/music/shared/{link.token}")

    @rule(who=people, link=shared)
    def save_shared_track(self, who: str, link: LinkRef) -> None:
        self._ask(who, "POST", f"<server>/v1/music/shared/{link.token}/save")
        self._ask(who, "GET", "tracks")

    @rule(who=senders, link=shared)
    def revoke_share(self, who: str, link: LinkRef) -> None:
        self._ask(link.owner if who == "owner" else who, "DELETE", f"share/{link.placeholder}")
        self._ask(link.owner, "GET", f"<server>/v1/music/shared/{link.token}")

    @rule(target=jobs, who=st.sampled_from(("alice", "bob")), order=orders, keyed=st.booleans())
    def create_generation(self, who: str, order: dict[str, Any], keyed: bool) -> Any:
        headers = {"Idempotency-Key": secrets.token_hex(8)} if keyed else {}
        made = self._order(who, order, headers)
        if keyed and isinstance(made, JobRef):
            self._ask(who, "POST", "generations", order, headers)
            self._ask(who, "POST", "generations", order | {"prompt": "another"}, headers)
        return made

    @rule(who=people, status=st.none() | statuses, limit=st.integers(0, 4), offset=st.integers(0, 4))
    def list_generations(self, who: str, status: str | None, limit: int, offset: int) -> None:
        chosen = "" if status is None else f"&status={status}"
        self._ask(who, "GET", f"generations?limit={limit}&offset={offset}{chosen}")

    @rule(who=senders, job=asked)
    def get_generation(self, who: str, job: JobRef) -> None:
        self._ask(job.owner if who == "owner" else who, "GET", f"generations/{job.placeholder}")

    @rule(who=senders, job=asked)
    def cancel_generation(self, who: str, job: JobRef) -> None:
        for _ in range(2):
            self._ask(job.owner if who == "owner" else who, "POST", f"generations/{job.placeholder}/cancel")
        self._ask(job.owner, "GET", f"generations/{job.placeholder}")

    @rule(job=jobs, steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=4))
    def work(self, job: JobRef, steps: list[str]) -> None:
        for step in steps:
            for side in self.sides:
                side.advance(job, step)
            self._ask(job.owner, "GET", f"generations/{job.placeholder}")

    @rule(who=people, job=jobs)
    def hear_what_was_made(self, who: str, job: JobRef) -> None:
        if job.track in self.sides[0].ids:
            self._ask(who, "GET", f"tracks/{job.track}")
            self._ask(who, "POST", f"tracks/{job.track}/save")

    @rule(who=people, job=jobs)
    def delete_what_was_made(self, who: str, job: JobRef) -> None:
        if job.track in self.sides[0].ids:
            self._ask(who, "DELETE", f"tracks/{job.track}")
            self._ask(job.owner, "GET", f"generations/{job.placeholder}")

    def teardown(self) -> None:
        """Compares the lists at the end."""
        for name in ("alice", "bob"):
            self._ask(name, "GET", "collections")
            self._ask(name, "GET", "tracks?limit=100")
            self._ask(name, "GET", "share?limit=100")
            self._ask(name, "GET", "generations?limit=100")
        for side in self.sides:
            for client in side.clients.values():
                client.close()

    def _create(self, who: str, body: Any, headers: Mapping[str, str]) -> str | None:
        """The placeholder of the created collection, or None."""
        responses = [side.ask(who, "POST", "collections", body, headers) for side in self.sides]
        placeholder = None
        if all(response.status_code == 201 for response in responses):
            self.made += 1
            placeholder = f"<collection {self.made}>"
            for side, response in zip(self.sides, responses, strict=True):
                side.ids[placeholder] = response.json()["id"]
        self._compare(responses, f"{who} POST collections {body}")
        return placeholder

    def _order(self, who: str, order: dict[str, Any], headers: Mapping[str, str]) -> Any:
        """The created job, or nothing."""
        responses = [side.ask(who, "POST", "generations", order, headers) for side in self.sides]
        made = all(response.status_code == 202 for response in responses)
        if made:
            self.made += 1
            for side, response in zip(self.sides, responses, strict=True):
                side.ids[f"<job {self.made}>"] = response.json()["id"]
        self._compare(responses, f"{who} POST generations {order}")
        return JobRef(f"<job {self.made}>", f"<made {self.made}>", who) if made else multiple()

    def _share(self, who: str, target: str, terms: dict[str, Any] | None) -> Any:
        """The created link, or nothing."""
        responses = [side.ask(who, "POST", f"{target}/share", terms, {}) for side in self.sides]
        made = all(response.status_code == 201 for response in responses)
        if made:
            self.made += 1
            for side, response in zip(self.sides, responses, strict=True):
                side.ids |= {
                    f"<link {self.made}>": response.json()["id"],
                    f"<token {self.made}>": response.json()["token"],
                }
        self._compare(responses, f"{who} POST {target}/share {terms}")
        return LinkRef(f"<link {self.made}>", f"<token {self.made}>", who) if made else multiple()

    def _change(
        self,
        who: str,
        name: CollectionRef,
        method: str,
        rest: str,
        body: Any,
        match: str | None,
        keyed: bool = False,
    ) -> None:
        """Sends a change, with a key twice, and compares the collection and its tracks each time."""
        path = f"collections/{name.placeholder}"
        headers = self._if("If-Match", match, name) | ({"Idempotency-Key": secrets.token_hex(8)} if keyed else {})
        for _ in range(1 + keyed):
            self._ask(_person(who, name), method, path + rest, body, headers)
            self._ask(name.owner, "GET", path)
            self._ask(name.owner, "GET", f"{path}/tracks")

    def _ask(
        self, who: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        responses = [side.ask(who, method, path, body, headers or {}) for side in self.sides]
        self._compare(responses, f"{who} {method} {path} {body} {headers}")

    def _compare(self, responses: list[httpx.Response], request: str) -> None:
        served, modelled = (side.plain(response) for side, response in zip(self.sides, responses, strict=True))
        assert served == modelled, f"{request}\nthe server: {served}\nthe model:  {modelled}"
        assert served[0] < 500, served

    def _if(self, field: str, match: str | None, name: CollectionRef) -> dict[str, str]:
        """The condition, relative to the version on the model."""
        if match is None:
            return {}
        shown = self.sides[1].ask(name.owner, "GET", f"collections/{name.placeholder}", None, {})
        version = int(shown.headers.get("ETag", '"1"').strip('"'))
        tags = {"current": version, "older": version - 1, "newer": version + 1, "nonsense": "v1"}
        return {field: "*" if match == "any" else f'"{tags[match]}"'}


def _person(who: str, name: CollectionRef) -> str:
    return name.owner if who == "owner" else who


def _clear(client: httpx.Client) -> None:
    while items := client.get("tracks").json()["items"]:
        for item in items:
            client.delete(f"tracks/{item['id']}/save")
    while items := client.get("collections").json()["items"]:
        for item in items:
            client.delete(f"collections/{item['id']}")
