"""Reference model of share links in plain Python; tools.testing.reference_model has the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from models.access import Caller, require_membership
from models.base import new_id, now
from models.exceptions import NotFound, NotSavable
from models.library_queries import LibraryEntry
from models.shares import MAX_DAYS, NO_LINK, Shared, ShareLink, Terms
from models.tracks import not_found as track_not_available
from web import sharing

if TYPE_CHECKING:
    from tools.testing.reference_model import Collections, Rows, Tracks


class Shares:
    """The functions of models/shares.py that handlers call, with the same exceptions."""

    def __init__(self, rows: Rows, tracks: Tracks, collections: Collections) -> None:
        self._rows, self._tracks, self._collections = rows, tracks, collections

    def share_track(
        self, caller: Caller, organization_id: str, track_id: str, terms: Terms, digest: bytes
    ) -> ShareLink:
        if self._tracks.get(caller, organization_id, track_id).creator_id != caller.user_id:
            raise track_not_available(track_id)
        return self._create(caller, organization_id, terms, digest, track_id, None)

    def share_collection(
        self, caller: Caller, organization_id: str, collection_id: str, terms: Terms, digest: bytes
    ) -> ShareLink:
        found = self._collections.get(caller, organization_id, collection_id)
        return self._create(caller, organization_id, terms, digest, None, found.id)

    def list_page(self, caller: Caller, organization_id: str, limit: int, offset: int) -> list[ShareLink]:
        require_membership(caller, organization_id)
        own = [link for link in self._rows.links.values() if link.user_id == caller.user_id]
        return sorted(own, key=lambda link: (link.created_at, link.id), reverse=True)[offset : offset + limit]

    def revoke(self, caller: Caller, organization_id: str, share_id: str) -> None:
        for digest, link in self._rows.links.items():
            owner = (link.organization_id, link.user_id)
            if organization_id in caller.organizations and (*owner, link.id) == (
                organization_id, caller.user_id, share_id,
            ):  # fmt: skip
                self._rows.links[digest] = link._replace(revoked_at=link.revoked_at or now())
                return
        raise NotFound("Share link not found or not owned by caller", share_id=share_id)

    def resolve(self, digest: bytes) -> Shared:
        link = self._find(digest)
        if link.track_id is not None:
            return Shared(link, track=self._rows.tracks.get(link.track_id))
        collection = self._rows.collections.get(link.collection_id or "")
        if collection is None:
            return Shared(link)
        members = self._rows.members[collection.id]
        return Shared(link, collection=collection, tracks=[self._rows.tracks[track] for track in members])

    def save(self, caller: Caller, organization_id: str | None, digest: bytes) -> tuple[str, LibraryEntry]:
        chosen = organization_id or next(iter(caller.organizations))
        require_membership(caller, chosen)
        link = self._find(digest)
        if link.track_id is None:
            raise NotSavable("A shared collection cannot be saved: save its tracks, each by a link of its own")
        return chosen, self._rows.put(caller.user_id, link.track_id, link.id)

    def _find(self, digest: bytes) -> ShareLink:
        link = self._rows.links.get(digest)
        if link is None or link.revoked_at is not None:
            raise NotFound(NO_LINK)
        return link

    def _create(
        self,
        caller: Caller,
        organization_id: str,
        terms: Terms,
        digest: bytes,
        track_id: str | None,
        collection_id: str | None,
    ) -> ShareLink:
        at, days = now(), terms.expires_in_days
        expires_at = None if days is None else at + timedelta(days=min(days, MAX_DAYS))
        made = ShareLink(
            organization_id, new_id("mslink_"), caller.user_id, track_id, collection_id, terms.visibility, at,
            expires_at=expires_at, revoked_at=None, resolve_count=0,
        )  # fmt: skip
        self._rows.links[digest] = made
        return made


class SharingOnModel:
    """web/sharing.py with links of the model."""

    create_token = staticmethod(sharing.create_token)
    digest = staticmethod(sharing.digest)
    url = staticmethod(sharing.url)
    page_path = staticmethod(sharing.page_path)
    public_path = staticmethod(sharing.public_path)

    def __init__(self, resolve: Callable[[bytes], Shared]) -> None:
        self._resolve = resolve

    def resolve(self, token: str) -> Shared:
        return self._resolve(sharing.digest(token))
