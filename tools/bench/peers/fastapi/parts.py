"""Shared parts of both FastAPI peers: parameters and error responses."""

from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import JSONResponse

from tools.bench.peers.music.failures import Refused, envelope

Key = Annotated[str | None, Header(alias="X-API-Key")]
Limit = Annotated[int, Query(ge=1, le=100)]
TrackLimit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=2_147_483_647)]

AT = "/v1/music/{organization_id}/collections"


def new_app() -> FastAPI:
    """An application without documentation pages, with the handler of Refused."""
    app = FastAPI(openapi_url=None)
    app.add_exception_handler(Refused, _to_response)
    return app


def _to_response(_request: Request, refused: Any) -> JSONResponse:
    return JSONResponse(envelope(refused.status, refused.code), refused.status)
