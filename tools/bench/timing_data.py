"""Share links of the timing test: links of another user, and tokens whose links are revoked or have expired."""

from datetime import timedelta

from sqlalchemy import bindparam, update

from models import shares
from models.access import Caller
from models.base import now
from models.db import connection
from models.share_tables import share_tokens
from models.share_tokens import ShareTokens, new_token
from models.shares import ShareLink, Terms
from tools.bench.data import ORGANIZATION, PEPPER, READER

LINKS = 500
EXPIRE = (
    update(share_tokens)
    .where(share_tokens.c.organization_id == bindparam("organization"), share_tokens.c.link_id == bindparam("link"))
    .values(ends_at=bindparam("end"))
)


def links(collections: list[str]) -> dict[str, list[str]]:
    """Ids of links of the reader, and tokens of revoked and of expired ones, which is done on the current database."""
    reader = Caller(READER, frozenset({ORGANIZATION}), frozenset(), None)
    made = [_link(reader, collections[number % len(collections)]) for number in range(2 * LINKS)]
    revoked, expired = made[:LINKS], made[LINKS:]
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
