"""Collections of tracks; each is visible to its owner only."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Row

from models import tracks
from models.access import Caller, require_membership
from models.base import ID_TRIES, new_id, now
from models.collection_queries import CHANGE, CHANGEABLE, DELETE, FIND, INSERT, LIST, LOCK, TOUCH, Collection
from models.db import connection
from models.exceptions import InvalidValue, NotFound, VersionMismatch
from models.schema import collections

__all__ = ["Collection", "collections", "create", "delete", "get", "list_page", "of_owner", "update"]

_TRIES = 5


def list_page(caller: Caller, organization_id: str, limit: int, offset: int) -> Sequence[Collection]:
    """A page of the caller's collections, newest first. Raises AccessDenied."""
    require_membership(caller, organization_id)
    rows = connection.fetch_all(LIST, organization=organization_id, owner=caller.user_id, limit=limit, offset=offset)
    return cast("Sequence[Collection]", rows)  # rows have its fields, and a page has many


def create(
    caller: Caller,
    organization_id: str,
    *,
    name: str,
    description: str | None = None,
    cover_track_id: str | None = None,
    cover_image_url: str | None = None,
) -> Collection:
    """Creates an empty collection. Raises AccessDenied; InvalidValue for a cover that the caller may not hear."""
    require_membership(caller, organization_id)
    _require_cover(caller, organization_id, cover_track_id)
    for _ in range(ID_TRIES):
        row = connection.fetch_one(
            INSERT,
            organization=organization_id,
            owner=caller.user_id,
            id=new_id("mcoll_"),
            name=name,
            description=description,
            cover_track_id=cover_track_id,
            cover_image_url=cover_image_url,
            now=now(),
        )
        if row is not None:
            return Collection._make(row)
    raise RuntimeError("No free id was found for a collection.")


def get(caller: Caller, organization_id: str, collection_id: str) -> Collection:
    """One collection of the caller. Raises NotFound."""
    row = _find(caller, organization_id, collection_id)
    if row is None:
        raise not_found(collection_id)
    return Collection._make(row)


def of_owner(organization_id: str, owner_id: str, collection_id: str) -> Collection | None:
    """The collection of that owner, or None. Does not ask who may see it."""
    row = connection.fetch_one(FIND, organization=organization_id, owner=owner_id, collection=collection_id)
    return None if row is None else Collection._make(row)


def update(
    caller: Caller, organization_id: str, collection_id: str, changes: Mapping[str, str | None], version: int | None
) -> Collection:
    """Changes the given fields; without a difference, `version` and `updated_at` stay.

    Raises, in this order, NotFound, VersionMismatch, InvalidValue for another cover that the caller may not hear.
    """
    if not changes.keys() <= set(CHANGEABLE):
        raise ValueError(f"Only {', '.join(CHANGEABLE)} of a collection can be changed.")
    binds = owner_binds(caller, organization_id, collection_id) | _change_binds(changes)
    for _ in range(_TRIES):
        row = connection.fetch_one(CHANGE, **binds, expected=version, now=now())
        if row is None:
            row = _unchanged(caller, organization_id, collection_id, changes, version)
        if row is not None:
            return Collection._make(row)
    raise RuntimeError("The update of a collection conflicted with other changes in every attempt.")


def delete(caller: Caller, organization_id: str, collection_id: str, version: int | None) -> None:
    """Deletes the collection (a soft delete); its tracks stay. Raises NotFound, then VersionMismatch."""
    binds = owner_binds(caller, organization_id, collection_id)
    for _ in range(_TRIES):
        if connection.fetch_one(DELETE, **binds, expected=version, now=now()) is not None:
            return
        require_version(get(caller, organization_id, collection_id), version)
    raise RuntimeError("The deletion of a collection conflicted with other changes in every attempt.")


def _find(caller: Caller, organization_id: str, collection_id: str) -> Row[Any] | None:
    """The row, or None if there is none or it has another owner."""
    return connection.fetch_one(FIND, **owner_binds(caller, organization_id, collection_id))


def lock(caller: Caller, organization_id: str, collection_id: str, version: int | None) -> Collection:
    """Locks the row of the collection until the transaction ends. Raises NotFound, then VersionMismatch."""
    row = connection.fetch_one(LOCK, **owner_binds(caller, organization_id, collection_id))
    if row is None:
        raise not_found(collection_id)
    collection = Collection._make(row)
    require_version(collection, version)
    return collection


def touch(collection: Collection, *, more: int) -> None:
    """Raises the version of a locked collection and adds `more` to its track count."""
    connection.execute(TOUCH, **binds_of(collection), more=more, now=now())


def not_found(collection_id: str) -> NotFound:
    """The error for a missing collection and for one of another owner: the same for both."""
    return NotFound("Music collection not found or not owned by caller", collection_id=collection_id)


def cover_error() -> InvalidValue:
    """The error for a cover that is no track of the collection's organization, or one that the owner may not hear."""
    return InvalidValue("/cover_track_id", "reference", "There is no such track in this organization.")


def owner_binds(caller: Caller, organization_id: str, collection_id: str) -> dict[str, object]:
    """The binds that restrict a statement to the caller's rows. Raises NotFound outside the caller's organizations."""
    if organization_id not in caller.organizations:
        raise not_found(collection_id)
    return {"organization": organization_id, "owner": caller.user_id, "collection": collection_id}


def binds_of(collection: Collection) -> dict[str, object]:
    """The same binds for a collection whose owner is checked already."""
    return {"organization": collection.organization_id, "owner": collection.owner_id, "collection": collection.id}


def require_version(collection: Collection, version: int | None) -> None:
    """Raises VersionMismatch unless `version` is the stored version or None (any version)."""
    if version is not None and version != collection.version:
        raise VersionMismatch(
            "The collection has changed since the version named in If-Match",
            collection_id=collection.id,
            version=collection.version,
        )


def _require_cover(caller: Caller, organization_id: str, cover_track_id: str | None) -> None:
    if cover_track_id is not None and not tracks.is_audible(caller, organization_id, cover_track_id):
        raise cover_error()


def _change_binds(changes: Mapping[str, str | None]) -> dict[str, object]:
    flags = {f"set_{name}": name in changes for name in CHANGEABLE}
    return flags | {f"new_{name}": changes.get(name) for name in CHANGEABLE}


def _unchanged(
    caller: Caller, organization_id: str, collection_id: str, changes: Mapping[str, str | None], version: int | None
) -> Row[Any] | None:
    """The row if CHANGE had nothing to change; None if the row has changed since."""
    row = _find(caller, organization_id, collection_id)
    if row is None:
        raise not_found(collection_id)
    require_version(Collection._make(row), version)
    if changes.get("cover_track_id") != row.cover_track_id:
        _require_cover(caller, organization_id, changes.get("cover_track_id"))
    return row if all(getattr(row, name) == value for name, value in changes.items()) else None
