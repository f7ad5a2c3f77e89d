"""Shared parts of both FastAPI peers: parameters and error responses."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import JSONResponse

from tools.bench.peers.music.failures import Refused, envelope

Key = Annotated[str | None, Header(alias="X-API-Key")]
Limit = Annotated[int, Query(ge=1, le=100)]
TrackLimit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=2_147_483_647)]

AT = "/v1/music/{organization_id}/collections"


async def _nothing() -> None:
    """Nothing to do before the first request."""


def new_app(connect: Callable[[], Awaitable[None]] = _nothing) -> FastAPI:
    """An application without documentation pages, with the handler of Refused; `connect` is awaited first."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await connect()
        yield

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    app.add_exception_handler(Refused, _to_response)
    return app


def _to_response(_request: Request, refused: Any) -> JSONResponse:
    return JSONResponse(envelope(refused.status, refused.code), refused.status)
