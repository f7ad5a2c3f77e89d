"""The demo's share links: bob's to his track, and alice's to her collection, with the values of the reference pages."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, or_, select

from models.db import connection
from models.share_tables import share_links, share_tokens
from models.share_tokens import ShareTokens
from models.shares import NEVER

TRACK_LINK, COLLECTION_LINK = "mslink_5d2f8c1a7e94", "mslink_b07e3d6f19ac"
# That of the track is on the reference pages. Nobody knows the other one, so its link opens nothing.
TOKEN = "shr_9f4c1e7a2b8d5063c8e1f72a4b9d0e36"  # noqa: S105 - it opens one track of the demo

_IN_ORGANIZATION = share_links.c.organization_id == bindparam("organization")
DROP_LINKS = delete(share_links).where(
    _IN_ORGANIZATION,
    or_(share_links.c.collection_id == bindparam("collection"), share_links.c.id.in_((TRACK_LINK, COLLECTION_LINK))),
)
DROP_TOKENS = delete(share_tokens).where(
    share_tokens.c.organization_id == bindparam("organization"),
    share_tokens.c.link_id.not_in(select(share_links.c.id).where(_IN_ORGANIZATION)),
)
ADD_LINK, ADD_TOKEN = insert(share_links), insert(share_tokens)


def clear(organization_id: str, collection_id: str) -> None:
    """Deletes the two links, and all others to the collection, which can then be deleted itself."""
    connection.execute(DROP_LINKS, organization=organization_id, collection=collection_id)
    connection.execute(DROP_TOKENS, organization=organization_id)


def add(organization_id: str, track: tuple[str, str], collection: tuple[str, str], at: datetime, pepper: bytes) -> None:
    """Puts the two links back, in the transaction that loads the demo. What they open is an owner and an id."""
    common = {"organization_id": organization_id, "resolve_count": 0}
    links: list[dict[str, Any]] = [
        {"id": TRACK_LINK, "user_id": track[0], "track_id": track[1], "collection_id": None, "visibility": "link_only"},
        {"id": COLLECTION_LINK, "user_id": collection[0], "track_id": None, "collection_id": collection[1],
         "visibility": "public"},
    ]  # fmt: skip
    times = (at, at + timedelta(minutes=5))
    rows = [common | link | {"created_at": time} for link, time in zip(links, times, strict=True)]
    connection.execute_many(ADD_LINK, rows)
    digest = ShareTokens(pepper).digest(TOKEN)
    connection.execute_many(
        ADD_TOKEN, [{"digest": digest, "organization_id": organization_id, "link_id": TRACK_LINK, "ends_at": NEVER}]
    )
