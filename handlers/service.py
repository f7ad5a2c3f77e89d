"""The service itself: is it alive, is it ready, and the contract that it keeps."""

from __future__ import annotations

import asyncio

from generated import wire
from models.interfaces import Database
from web.contract import document as contract
from web.responses import RawBody, WithETag
from web.server import lifespan_state


async def get_liveness() -> wire.Health:
    return {"status": "live"}


async def get_readiness(database: Database) -> wire.Health:
    lifespan_state.require_not_draining()
    # A thread of its own: the worker threads may all be busy, and that is when somebody asks.
    await asyncio.to_thread(database.ready)
    return {"status": "ready"}


async def get_openapi_json() -> WithETag[RawBody]:
    return _published("json")


async def get_openapi_yaml() -> WithETag[RawBody]:
    return _published("yaml")


def _published(form: str) -> WithETag[RawBody]:
    document = contract.published(form)
    return WithETag(RawBody(document.body, document.media_type), document.tag)
