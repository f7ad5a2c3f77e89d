"""The mock's own data: a YAML or JSON file with users, and the tracks and collections of each.

The chapter "Mock" of docs/operating.md describes the form. Decision 91.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from mock.accounts import Account, Contents
from models import keys
from models.audio_store import AudioStore
from models.db import connection
from ops import demo_audio, demo_keys, fixtures
from ops.demo import DAY
from ops.errors import CommandError
from web.contract import yaml_loader
from web.contract.schemas import Validator
from web.exceptions import ContractError

User = dict[str, Any]
MAX_SECONDS = 600
"""Of a track, because its tone is kept in memory."""
MAX_SHOWN = 20
TONE_HERTZ = 220


def read_users(file: Path, document: dict[str, Any]) -> list[User]:
    """The users in the file, checked. Raises CommandError with every place that is wrong."""
    try:
        content = yaml_loader.read(file)
    except (ContractError, OSError) as problem:
        reason = f"{file}: {problem.strerror}." if isinstance(problem, OSError) else problem
        raise CommandError(f"Cannot read the data of the mock. {reason}") from None
    wrong = [f"{v.pointer or '/'} {v.message}." for v in Validator(_schema(document), document).violations(content)]
    wrong = wrong or list(_inconsistencies(content["users"]))
    if wrong:
        more = [f"... and {len(wrong) - MAX_SHOWN} more."] if len(wrong) > MAX_SHOWN else []
        raise CommandError(f"The data in {file} cannot be used.", *wrong[:MAX_SHOWN], *more)
    users: list[User] = content["users"]
    return users


def contents_of(users: list[User]) -> Contents:
    """The accounts of the users. A key that the file does not give is made from the ids: it is always the same."""
    names, first = Counter(user["user_id"] for user in users), users[0]
    accounts = [_account(user, is_unique=names[user["user_id"]] == 1) for user in users]
    collection_ids = [collection["id"] for collection in first.get("collections", [])]
    return Contents(accounts, next(iter(collection_ids), None), [track["id"] for track in first.get("tracks", [])])


@connection.transaction
def load_users(users: list[User], store: AudioStore) -> None:
    """Adds tracks and collections to the current database, in which the users are; each track gets a tone."""
    for user in users:
        tracks = [_track(user, track, index, store) for index, track in enumerate(user.get("tracks", []))]
        connection.execute_many(fixtures.ADD_TRACK, tracks)
        connection.execute_many(fixtures.ADD_ENTRY, [fixtures.entry(track) for track in tracks])
        for index, given in enumerate(user.get("collections", [])):
            collection = _collection(user, given, index)
            connection.execute_many(fixtures.ADD_COLLECTION, [collection])
            connection.execute_many(fixtures.ADD_MEMBER, list(_members(collection, given.get("track_ids", []))))


def _account(user: User, *, is_unique: bool) -> Account:
    organization_id, user_id = user["organization_id"], user["user_id"]
    name = user_id if is_unique else f"{user_id}@{organization_id}"
    draw = Random(f"{organization_id} {user_id}")  # noqa: S311 - valid on a mock only, and the same at every start
    secret = user.get("api_key") or keys.new_secret(draw.choice)
    return Account(name, organization_id, user_id, secret, tuple(user.get("scopes", demo_keys.SCOPES)))


def _track(user: User, given: dict[str, Any], index: int, store: AudioStore) -> dict[str, Any]:
    seconds = given.get("duration_seconds", 2)
    created_at = _time(given, "created_at") or DAY + timedelta(minutes=index)
    organization_id, track_id = user["organization_id"], given["id"]
    row = fixtures.track(organization_id, user["user_id"], track_id, given.get("title"), seconds, created_at)
    tone = demo_audio.tone(TONE_HERTZ + 20 * (index % 20), seconds)
    audio = store.write_bytes(organization_id, track_id, "audio/wav", tone)
    stored = {"audio_name": audio.name, "audio_bytes": audio.size, "mime_type": audio.mime_type}
    return row | stored | {name: given[name] for name in ("engine", "mode", "instrumental") if name in given}


def _collection(user: User, given: dict[str, Any], index: int) -> dict[str, Any]:
    created_at = _time(given, "created_at") or DAY + timedelta(hours=1, minutes=index)
    updated_at = _time(given, "updated_at") or created_at
    count = len(given.get("track_ids", []))
    row = fixtures.collection(user["organization_id"], user["user_id"], given["id"], count, created_at, updated_at)
    return row | {name: given[name] for name in row.keys() & given.keys() - {"created_at", "updated_at"}}


def _members(collection: dict[str, Any], track_ids: list[str]) -> Iterator[dict[str, Any]]:
    for index, track_id in enumerate(track_ids):
        yield fixtures.member(collection, index, track_id, collection["updated_at"])


def _time(given: dict[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(given[name]) if name in given else None


def _inconsistencies(users: list[User]) -> Iterator[str]:
    """What a schema cannot say: ids that occur twice, tracks that the user does not have, keys that are none."""
    for what, ids in _ids(users).items():
        yield from (f"The {what} {one} occurs {times} times." for one, times in Counter(ids).items() if times > 1)
    for index, user in enumerate(users):
        if "api_key" in user and not keys.well_formed(user["api_key"]):
            yield f"/users/{index}/api_key is no key: its checksum is wrong. Leave it out, and the mock makes one."
        own = {track["id"] for track in user.get("tracks", [])}
        for place, collection in enumerate(user.get("collections", [])):
            named = [*collection.get("track_ids", []), *filter(None, [collection.get("cover_track_id")])]
            at = f"/users/{index}/collections/{place}"
            yield from (f"{at} names {one}, which is no track of this user." for one in named if one not in own)


def _ids(users: list[User]) -> dict[str, list[str]]:
    return {
        "user": [f"{user['user_id']} of {user['organization_id']}" for user in users],
        "api_key": [user["api_key"] for user in users if "api_key" in user],
        "track": [track["id"] for user in users for track in user.get("tracks", [])],
        "collection": [collection["id"] for user in users for collection in user.get("collections", [])],
    }


def _schema(document: dict[str, Any]) -> dict[str, Any]:
    """The schema of the file, made of those of the contract."""
    schemas = document["components"]["schemas"]
    time, track = _component("Timestamp"), schemas["Track"]["properties"]
    tracks = {
        "id": _component("TrackId"),
        **{name: track[name] for name in ("title", "engine", "mode", "instrumental")},
        "duration_seconds": {"type": "integer", "minimum": 1, "maximum": MAX_SECONDS},
        "created_at": time,
    }
    collections = schemas["CollectionCreate"]["properties"] | {
        "id": _component("CollectionId"),
        "track_ids": {"type": "array", "uniqueItems": True, "items": _component("TrackId")},
        "created_at": time,
        "updated_at": time,
    }
    scopes = {"type": "array", "uniqueItems": True, "items": {"type": "string", "enum": list(demo_keys.SCOPES)}}
    user = {
        "organization_id": _component("OrganizationId"),
        "user_id": {"type": "string", "pattern": "^[!-~]{1,64}$"},
        "api_key": {"type": "string", "pattern": "^msk_[0-9A-Za-z]{36}$"},
        "scopes": scopes,
        "tracks": _list_of(tracks, "id"),
        "collections": _list_of(collections, "id", "name"),
    }
    return _object({"users": _list_of(user, "organization_id", "user_id") | {"minItems": 1}}, "users")


def _component(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def _list_of(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "array", "items": _object(properties, *required)}
