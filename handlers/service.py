"""Operations of the tag `service`: liveness, readiness and the contract."""

from __future__ import annotations

from generated import wire
from models.db.context import current_database
from web.context import current_request
from web.responses import RawBody, WithETag
from web.server import lifespan_state


async def get_liveness() -> wire.Health:
    return {"status": "live"}


async def get_readiness() -> wire.Health:
    lifespan_state.require_not_draining()
    await current_database.get().require_ready()
    return {"status": "ready"}


async def get_openapi_json() -> WithETag[RawBody]:
    return _published("strict")


async def get_openapi_client_json() -> WithETag[RawBody]:
    return _published("client")


async def get_openapi_v31_json() -> WithETag[RawBody]:
    return _published("3.1")


def _published(view: str) -> WithETag[RawBody]:
    document = current_request.get().contract.published(view)
    return WithETag(RawBody(document.body, document.media_type), document.tag)
