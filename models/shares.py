"""Share links: each opens one track or one collection of its owner to whoever has its token.

A token is a secret that is shown once. The caller of these functions makes it and computes its keyed digest
(models.share_tokens); only the digest is stored.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from models import collections, library, tracks
from models.access import Caller, require_membership
from models.base import ID_TRIES, new_id, now
from models.collections import Collection
from models.db import connection
from models.exceptions import AccessDenied, AmbiguousOrganization, NotFound, NotSavable
from models.library import LibraryEntry
from models.share_queries import (
    ADD_RESOLVES,
    ADD_TOKEN,
    FIND_TOKEN,
    INSERT,
    LIST,
    LIST_ALL,
    RESOLVE,
    TRACKS,
    ShareLink,
)
from models.share_revocation import OwnedLink, revoke, revoke_all_of, revoke_links
from models.tracks import Track

__all__ = [
    "MAX_DAYS",
    "NO_LINK",
    "LinkKey",
    "OwnedLink",
    "ShareLink",
    "Shared",
    "Terms",
    "add_resolves",
    "list_all",
    "list_page",
    "resolve",
    "revoke",
    "revoke_all_of",
    "revoke_links",
    "save",
    "share_collection",
    "share_track",
]

MAX_DAYS = 90
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
NO_LINK = "Share link not found, revoked or expired"
LinkKey = tuple[str, str]
"""Organization and id of a link."""


class Terms(NamedTuple):
    """What the owner of a link chooses; more than MAX_DAYS are as many as MAX_DAYS, and None is for ever."""

    visibility: str = "link_only"
    expires_in_days: int | None = None


class Shared(NamedTuple):
    """A valid link and what it opens: a track, or a collection with its first 500 tracks in their order.

    `track` and `collection` are None where that is deleted.
    """

    link: ShareLink
    track: Track | None = None
    collection: Collection | None = None
    tracks: Sequence[Track] = ()


@connection.transaction
def share_track(caller: Caller, organization_id: str, track_id: str, terms: Terms, digest: bytes) -> ShareLink:
    """A new link to a track of this organization that the caller has created. Raises NotFound."""
    track = tracks.get(caller, organization_id, track_id)
    if (track.organization_id, track.creator_id) != (organization_id, caller.user_id):
        raise tracks.not_found(track_id)
    return _create(caller, organization_id, terms, digest, track_id=track_id)


@connection.transaction
def share_collection(
    caller: Caller, organization_id: str, collection_id: str, terms: Terms, digest: bytes
) -> ShareLink:
    """A new link to a collection of the caller. Raises NotFound."""
    collection = collections.get(caller, organization_id, collection_id)
    return _create(caller, organization_id, terms, digest, collection_id=collection.id)


def list_page(caller: Caller, organization_id: str, limit: int, offset: int) -> list[ShareLink]:
    """A page of the caller's links, newest first, also those that are revoked or have expired. Raises AccessDenied."""
    require_membership(caller, organization_id)
    rows = connection.fetch_all(LIST, organization=organization_id, user=caller.user_id, limit=limit, offset=offset)
    return [ShareLink._make(row) for row in rows]


def list_all(organization_id: str | None = None, user_id: str | None = None) -> list[ShareLink]:
    """The links of one organization or user, or of all, oldest first."""
    rows = connection.fetch_all(LIST_ALL, organization=organization_id, user=user_id)
    return [ShareLink._make(row) for row in rows]


def resolve(digest: bytes) -> Shared:
    """What the link of the token with this digest opens.

    Raises NotFound, the same one for a token that is unknown, revoked or expired.
    """
    link = _find(digest)
    if link.collection_id is None:
        return Shared(link, track=_track_of(link))
    collection = collections.of_owner(link.organization_id, link.user_id, link.collection_id)
    if collection is None:
        return Shared(link)
    rows = connection.fetch_all(TRACKS, **collections.binds_of(collection))
    return Shared(link, collection=collection, tracks=[Track._make(row) for row in rows])


@connection.transaction
def save(caller: Caller, organization_id: str | None, digest: bytes) -> tuple[str, LibraryEntry]:
    """The entry of a shared track in the caller's library, with its organization; it is made if there is none.

    Without an `organization_id`, it is the caller's only one. Raises AccessDenied, AmbiguousOrganization, NotFound as
    `resolve` and for a track that was deleted, NotSavable for a collection.
    """
    organization_id = _saving_organization(caller, organization_id)
    link = _find(digest)
    if link.track_id is None:
        raise NotSavable("A shared collection cannot be saved: save its tracks, each by a link of its own")
    track = tracks.lock_any(link.organization_id, link.track_id)
    if track is None:
        raise _not_found()
    return organization_id, library.put(organization_id, caller.user_id, track, share_link_id=link.id)


@connection.transaction
def add_resolves(counts: Mapping[LinkKey, int]) -> None:
    """Adds to the numbers of times that links were resolved. Raises Unavailable."""
    binds = [
        {"organization": organization_id, "link": link_id, "more": count}
        for (organization_id, link_id), count in sorted(counts.items())
    ]
    connection.execute_many(ADD_RESOLVES, binds)


def _create(
    caller: Caller,
    organization_id: str,
    terms: Terms,
    digest: bytes,
    *,
    track_id: str | None = None,
    collection_id: str | None = None,
) -> ShareLink:
    created_at, days = now(), terms.expires_in_days
    fields = {
        "organization_id": organization_id,
        "user_id": caller.user_id,
        "track_id": track_id,
        "collection_id": collection_id,
        "visibility": terms.visibility,
        "created_at": created_at,
        "expires_at": None if days is None else created_at + timedelta(days=min(days, MAX_DAYS)),
        "revoked_at": None,
        "resolve_count": 0,
    }
    for _ in range(ID_TRIES):
        row = connection.fetch_one(INSERT, **fields, id=new_id("mslink_"))
        if row is not None:
            link = ShareLink._make(row)
            end = link.expires_at or NEVER
            connection.execute(ADD_TOKEN, digest=digest, organization_id=organization_id, link_id=link.id, end=end)
            return link
    raise RuntimeError("No free id was found for a share link.")


def _find(digest: bytes) -> ShareLink:
    """The link of a token. Raises NotFound, after one statement, for one that is unknown, revoked or expired."""
    named = connection.fetch_one(FIND_TOKEN, digest=digest, now=now())
    if named is None:
        raise _not_found()
    row = connection.fetch_one(RESOLVE, organization=named.organization_id, link=named.link_id)
    if row is None:  # revoked between the two statements
        raise _not_found()
    return ShareLink._make(row)


def _track_of(link: ShareLink) -> Track | None:
    return tracks.find(link.organization_id, link.track_id or "")


def _saving_organization(caller: Caller, organization_id: str | None) -> str:
    if organization_id is not None:
        require_membership(caller, organization_id)
        return organization_id
    if len(caller.organizations) > 1:
        raise AmbiguousOrganization("The caller belongs to several organizations: name one as organization_id")
    for only in caller.organizations:
        return only
    raise AccessDenied("The caller belongs to no organization")


def _not_found() -> NotFound:
    return NotFound(NO_LINK)
