"""Reference model of collections, libraries, links and jobs in plain Python, with the responses of every database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from types import FunctionType
from typing import Any, cast

import httpx

import app
from models import keys, organizations
from models.access import Caller, require_membership
from models.audio_store import AudioStore
from models.base import is_id, new_id, now
from models.collection_queries import Collection
from models.collection_track_queries import CollectionTrack
from models.collection_tracks import MAX_TRACKS, full, require_distinct, track_not_found
from models.collections import cover_error, not_found, require_version
from models.db import migrate
from models.db.database import Database
from models.exceptions import NotCreator
from models.generations import Job
from models.library_queries import LibraryEntry
from models.shares import ShareLink
from models.track_queries import Track
from models.tracks import not_found as track_not_available
from settings import Settings
from tools.testing.reference_jobs import Jobs
from tools.testing.reference_shares import Shares, SharingOnModel
from tools.testing.service import ALICE, AWAY, HOME, MALLORY, PEOPLE, PEPPER, READ, WRITE, Actors, Service
from tools.testing.thread_server import serving
from web.contract import document as contract
from web.dispatch import Dispatcher


class Rows:
    """Rows of the model: tracks and collections by id, their tracks in order, and libraries by user and track.

    A track of another organization is in a library only by a share link, and is asked for by nobody; an entry that was
    removed is in `removed`. Links have the digest of their token.
    """

    def __init__(self) -> None:
        self.tracks: dict[str, Track] = {}
        self.collections: dict[str, Collection] = {}
        self.members: dict[str, dict[str, datetime]] = {}
        self.entries: dict[tuple[str, str], LibraryEntry] = {}
        self.removed: dict[tuple[str, str], LibraryEntry] = {}
        self.links: dict[bytes, ShareLink] = {}
        self.jobs: dict[str, Job] = {}

    def add_track(
        self, organization_id: str, creator_id: str, title: str | None = "A track of the tests", engine: str = "import"
    ) -> str:
        track = Track(
            organization_id, new_id("mtrack_"), creator_id, title, engine, "creation", None,
            instrumental=False, licence_class="unclear", commercial_use=False, requires_attribution=True,
            source_digest=None, audio_name=None, audio_bytes=None, mime_type=None, created_at=now(), deleted_at=None,
        )  # fmt: skip
        self.tracks[track.id] = track
        return track.id

    def is_audible(self, caller: Caller, organization_id: str, track_id: str) -> bool:
        track = self.tracks.get(track_id)
        if track is None or track.organization_id != organization_id:
            return False
        return track.creator_id == caller.user_id or (caller.user_id, track_id) in self.entries

    def put(self, user_id: str, track_id: str, link_id: str | None = None) -> LibraryEntry:
        key, track = (user_id, track_id), self.tracks[track_id]
        source = "own" if track.creator_id == user_id else "shared"
        home = track.organization_id
        made = LibraryEntry(
            home, user_id, new_id("mlib_"), home, track_id, source, link_id, track.engine, "creation", now()
        )
        restored = self.removed.pop(key, None)
        again = made if restored is None else restored._replace(saved_at=now(), share_link_id=link_id)
        return self.entries.setdefault(key, again)


class Tracks:
    """The functions of models/tracks.py that handlers call, with the same exceptions."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def get(self, caller: Caller, organization_id: str, track_id: str) -> Track:
        if organization_id not in caller.organizations or not self._rows.is_audible(caller, organization_id, track_id):
            raise track_not_available(track_id)
        return self._rows.tracks[track_id]

    def find(self, organization_id: str, track_id: str) -> Track | None:
        track = self._rows.tracks.get(track_id)
        return track if track is not None and track.organization_id == organization_id else None

    def delete(self, caller: Caller, organization_id: str, track_id: str) -> None:
        if self.get(caller, organization_id, track_id).creator_id != caller.user_id:
            raise NotCreator("Only the creator of a track may delete it", track_id=track_id)
        del self._rows.tracks[track_id]
        for key in [key for key in self._rows.entries if key[1] == track_id]:
            self._rows.removed[key] = self._rows.entries.pop(key)


class Library:
    """The functions of models/library.py that handlers call, with the same exceptions; filters by nothing."""

    def __init__(self, rows: Rows, tracks: Tracks) -> None:
        self._rows = rows
        self._tracks = tracks

    def list_page(self, caller: Caller, organization_id: str, limit: int, offset: int, **_: str | None) -> list[Track]:
        require_membership(caller, organization_id)
        own = [entry for (user, _), entry in self._rows.entries.items() if user == caller.user_id]
        newest = sorted(own, key=lambda entry: (entry.saved_at, entry.id), reverse=True)
        return [self._rows.tracks[entry.track_id] for entry in newest[offset : offset + limit]]

    def save(self, caller: Caller, organization_id: str, track_id: str) -> LibraryEntry:
        return self._rows.put(caller.user_id, self._tracks.get(caller, organization_id, track_id).id)

    def unsave(self, caller: Caller, organization_id: str, track_id: str) -> None:
        key = (caller.user_id, track_id)
        if organization_id in caller.organizations and key in self._rows.entries:
            self._rows.removed[key] = self._rows.entries.pop(key)
        elif organization_id not in caller.organizations or key not in self._rows.removed:
            self._tracks.get(caller, organization_id, track_id)


class Collections:
    """The functions of models/collections.py that handlers call, with the same exceptions."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def list_page(self, caller: Caller, organization_id: str, limit: int, offset: int) -> list[Collection]:
        require_membership(caller, organization_id)
        whose = (organization_id, caller.user_id)
        own = [row for row in self._rows.collections.values() if (row.organization_id, row.owner_id) == whose]
        return sorted(own, key=lambda row: (row.created_at, row.id), reverse=True)[offset : offset + limit]

    def create(self, caller: Caller, organization_id: str, *, name: str, **fields: str | None) -> Collection:
        require_membership(caller, organization_id)
        self._require_cover(caller, organization_id, fields.get("cover_track_id"))
        moment = now()
        optional = dict.fromkeys(("description", "cover_track_id", "cover_image_url")) | fields
        own: dict[str, Any] = {"organization_id": organization_id, "id": new_id("mcoll_"), "owner_id": caller.user_id}
        counted: dict[str, Any] = {"track_count": 0, "version": 1, "created_at": moment, "updated_at": moment}
        made = Collection(**own, name=name, **cast("Any", optional), **counted)
        self._rows.collections[made.id], self._rows.members[made.id] = made, {}
        return made

    def get(self, caller: Caller, organization_id: str, collection_id: str) -> Collection:
        found = self._rows.collections.get(collection_id)
        if (
            found is None
            or organization_id not in caller.organizations
            or (found.organization_id, found.owner_id) != (organization_id, caller.user_id)
        ):
            raise not_found(collection_id)
        return found

    def update(
        self,
        caller: Caller,
        organization_id: str,
        collection_id: str,
        changes: Mapping[str, str | None],
        version: int | None,
    ) -> Collection:
        before = self.lock(caller, organization_id, collection_id, version)
        if changes.get("cover_track_id") != before.cover_track_id:
            self._require_cover(caller, organization_id, changes.get("cover_track_id"))
        after = before._replace(**cast("dict[str, Any]", changes))
        return before if after == before else self.put(after)

    def delete(self, caller: Caller, organization_id: str, collection_id: str, version: int | None) -> None:
        row = self.lock(caller, organization_id, collection_id, version)
        del self._rows.collections[row.id], self._rows.members[row.id]

    def lock(self, caller: Caller, organization_id: str, collection_id: str, version: int | None) -> Collection:
        row = self.get(caller, organization_id, collection_id)
        require_version(row, version)
        return row

    def put(self, changed: Collection) -> Collection:
        row = changed._replace(version=changed.version + 1, updated_at=now())
        self._rows.collections[row.id] = row
        return row

    def _require_cover(self, caller: Caller, organization_id: str, cover_track_id: str | None) -> None:
        if cover_track_id is not None and not self._rows.is_audible(caller, organization_id, cover_track_id):
            raise cover_error()


class CollectionTracks:
    """The functions of models/collection_tracks.py that handlers call, with the same exceptions."""

    def __init__(self, rows: Rows, collections: Collections) -> None:
        self._rows = rows
        self._collections = collections

    def list_page(
        self, caller: Caller, organization_id: str, collection_id: str, limit: int, offset: int
    ) -> tuple[int, list[CollectionTrack]]:
        row = self._collections.get(caller, organization_id, collection_id)
        page = [CollectionTrack(track, added) for track, added in self._rows.members[row.id].items()]
        return row.version, page[offset : offset + limit]

    def add(self, caller: Caller, organization_id: str, collection_id: str, track_id: str, version: int | None) -> None:
        row = self._collections.lock(caller, organization_id, collection_id, version)
        members = self._rows.members[row.id]
        if track_id in members:
            return
        if not self._rows.is_audible(caller, organization_id, track_id):
            raise track_not_found(track_id)
        if row.track_count >= MAX_TRACKS:
            raise full(row.id)
        self._put(row, members | {track_id: now()})

    def remove(
        self, caller: Caller, organization_id: str, collection_id: str, track_id: str, version: int | None
    ) -> None:
        row = self._collections.lock(caller, organization_id, collection_id, version)
        if not is_id(track_id, "mtrack_"):
            raise track_not_found(track_id)
        members = self._rows.members[row.id]
        if track_id in members:
            self._put(row, {track: added for track, added in members.items() if track != track_id})

    def reorder(
        self, caller: Caller, organization_id: str, collection_id: str, track_ids: Sequence[str], version: int | None
    ) -> None:
        require_distinct(track_ids)
        row = self._collections.lock(caller, organization_id, collection_id, version)
        members = self._rows.members[row.id]
        first = {track: members[track] for track in track_ids if track in members}
        ordered = first | {track: added for track, added in members.items() if track not in first}
        if list(ordered) != list(members):
            self._put(row, ordered)

    def _put(self, row: Collection, members: dict[str, datetime]) -> None:
        self._rows.members[row.id] = members
        self._collections.put(row._replace(track_count=len(members)))


@contextmanager
def modelled() -> Iterator[Actors]:
    """A server on the model, with the same users, twelve tracks and a foreign one."""
    document, rows, database = contract.document(), Rows(), Database("sqlite://")
    own, foreign = [rows.add_track(HOME, ALICE) for _ in range(12)], rows.add_track(AWAY, MALLORY)
    migrate.upgrade(database.url)
    with database.use():
        secrets = {name: _key(user, home) for name, (user, home) in PEOPLE.items()}
    dispatcher = Dispatcher(database, enforce=True)
    chosen = Settings(rate_limit="off")
    audio = AudioStore("memory:///")
    application = app.assemble(chosen, document, dispatcher, PEPPER.encode(), partial(handler_on, rows), audio)
    with serving(application) as url:
        yield Actors(ModelService(url, rows), secrets, own, foreign)


def _key(user: str, organization: str) -> str:
    organizations.join(organization, user)
    return keys.make(organization, user, (READ, WRITE), pepper=PEPPER.encode())[1]


class ModelService(Service):
    """The server of the model, which runs in this process; only its clients are needed."""

    def __init__(self, url: str, rows: Rows) -> None:
        self.url = url
        self._rows = rows

    def save_track(self, track_id: str, user: str, organization: str = HOME, track_organization: str = HOME) -> str:
        return self._rows.put(user, track_id).id

    def forget_links(self, user: str) -> None:
        self._rows.links = {digest: link for digest, link in self._rows.links.items() if link.user_id != user}

    def forget_jobs(self, user: str) -> None:
        self._rows.jobs = {job.id: job for job in self._rows.jobs.values() if job.user_id != user}

    def advance(self, user: str, job_id: str, step: str) -> str | None:
        del user
        return Jobs(self._rows).advance(job_id, step)

    def client(self, secret: str | None = None, organization: str = HOME) -> httpx.Client:
        headers = {} if secret is None else {"X-API-Key": secret}
        base = f"{self.url}/v1/music/{organization}/"
        return httpx.Client(base_url=base, headers=headers, timeout=30, trust_env=False)


def handler_on(rows: Rows, tag: str, name: str) -> app.Handler:
    """The service's handler, with the model instead of `models`."""
    handler: Any = app.find_handler(tag, name)
    collections, tracks = Collections(rows), Tracks(rows)
    shares = Shares(rows, tracks, collections)
    names = {
        "collections": collections,
        "collection_tracks": CollectionTracks(rows, collections),
        "generations": Jobs(rows),
        "tracks": tracks,
        "library": Library(rows, tracks),
        "shares": shares,
        "sharing": SharingOnModel(shares.resolve),
    }
    return _with_globals(handler, names)


def _with_globals(handler: Any, names: dict[str, Any]) -> app.Handler:
    """The function with other globals, which the other functions of its module get too: it may call them."""
    others = {**handler.__globals__, **names}
    for name, found in handler.__globals__.items():
        if isinstance(found, FunctionType) and found.__module__ == handler.__module__:
            others[name] = copy = FunctionType(
                found.__code__, others, found.__name__, found.__defaults__, found.__closure__
            )
            copy.__annotations__, copy.__kwdefaults__ = found.__annotations__, found.__kwdefaults__
    made: app.Handler = others[handler.__name__]
    return made
