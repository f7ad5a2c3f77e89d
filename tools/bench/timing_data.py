"""What the timing test asks for in vain: tracks, jobs, sessions and links of others, and tokens that open nothing."""

import secrets
from datetime import timedelta

from sqlalchemy import bindparam, update

from models import focus_sessions, generations, organizations, shares, tracks
from models.access import Caller
from models.base import now
from models.db import connection
from models.focus_sessions import Wish
from models.generations import JobLimits, Order
from models.share_tables import share_tokens
from models.share_tokens import ShareTokens, new_token
from models.shares import ShareLink, Terms
from tools.bench.data import ORGANIZATION, PEPPER, READER

COUNT, ELSEWHERE = 500, "org_elsewhere"
EXPIRE = (
    update(share_tokens)
    .where(share_tokens.c.organization_id == bindparam("organization"), share_tokens.c.link_id == bindparam("link"))
    .values(ends_at=bindparam("end"))
)


def foreign_ids(collections: list[str]) -> dict[str, list[str]]:
    """Ids by what they are of; all but the collections are made on the current database."""
    reader = Caller(READER, frozenset({ORGANIZATION}), frozenset(), None)
    return {
        "collections": collections,
        "foreign tracks": _tracks(ELSEWHERE, "user_elsewhere"),
        "colleague's tracks": _tracks(ORGANIZATION, READER),
        "jobs": [_job(reader) for _ in range(COUNT)],
        "sessions": [_session(reader) for _ in range(COUNT)],
    } | _links(reader, collections)


def _tracks(organization_id: str, user_id: str) -> list[str]:
    organizations.join(organization_id, user_id)
    added = [tracks.add(organization_id, user_id, title="Theirs") for _ in range(COUNT)]
    return [track.id for track in added if track is not None]


def _job(caller: Caller) -> str:
    none = dict.fromkeys(("lyrics", "seed_track_id", "title", "idempotency_key"))
    order = Order(
        engine="studio", prompt="A", duration_seconds=9, fingerprint=secrets.token_bytes(32), mode="creation",
        instrumental=True, style_tags=(), **none,
    )  # fmt: skip
    return generations.create(caller, ORGANIZATION, order, JobLimits(0, COUNT))[0].id


def _session(caller: Caller) -> str:
    wish = Wish("focus", "studio", None, "medium", 40, 30, None, secrets.token_bytes(32))
    return focus_sessions.start(caller, ORGANIZATION, wish, 0)[0].id


def _links(reader: Caller, collections: list[str]) -> dict[str, list[str]]:
    """Ids of links of the reader, and tokens of revoked and of expired ones."""
    made = [_link(reader, collections[number % len(collections)]) for number in range(2 * COUNT)]
    revoked, expired = made[:COUNT], made[COUNT:]
    for link, _ in revoked:
        shares.revoke(reader, ORGANIZATION, link.id)
    for link, _ in expired:
        connection.execute(EXPIRE, organization=ORGANIZATION, link=link.id, end=now() - timedelta(seconds=1))
    return {
        "links": [link.id for link, _ in made],
        "revoked": [token for _, token in revoked],
        "expired": [token for _, token in expired],
    }


def _link(reader: Caller, collection_id: str) -> tuple[ShareLink, str]:
    token = new_token()
    digest = ShareTokens(PEPPER.encode()).digest(token)
    return shares.share_collection(reader, ORGANIZATION, collection_id, Terms(), digest), token
