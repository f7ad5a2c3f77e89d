"""Litestar with async handlers and SQL by hand: sqlite3 on the event loop, or asyncpg with prepared statements."""

from typing import Annotated, Any

from litestar import Litestar, Request, Response, get, patch, post
from litestar.exceptions import ValidationException
from litestar.params import Parameter
from msgspec import UNSET, structs

from tools.bench.peers.litestar.forms import CollectionOrder, CollectionPatch, NewCollection
from tools.bench.peers.music.by_hand import Store
from tools.bench.peers.music.failures import Invalid, Refused, envelope

READ, WRITE = "music:read", "music:write"
AT = "/v1/music/{organization_id:str}/collections"
ONE = AT + "/{collection_id:str}"
Key = Annotated[str | None, Parameter(header="X-API-Key", required=False)]
Limit = Annotated[int, Parameter(ge=1, le=100)]
TrackLimit = Annotated[int, Parameter(ge=1, le=500)]
Offset = Annotated[int, Parameter(ge=0, le=2_147_483_647)]
Json = dict[str, Any]

store = Store()


@get(AT)
async def list_collections(organization_id: str, limit: Limit = 50, offset: Offset = 0, key: Key = None) -> Json:
    caller = await store.admit(key, READ, organization_id)
    return await store.page(caller, limit, offset)  # type: ignore[no-any-return] # the store is shared and untyped


@post(AT)
async def create_collection(organization_id: str, data: NewCollection, key: Key = None) -> Json:
    caller = await store.admit(key, WRITE, organization_id)
    return await store.create(caller, structs.asdict(data))  # type: ignore[no-any-return] # as above


@get(ONE)
async def get_collection(organization_id: str, collection_id: str, key: Key = None) -> Json:
    caller = await store.admit(key, READ, organization_id)
    return await store.get(caller, collection_id)  # type: ignore[no-any-return] # as above


@patch(ONE)
async def update_collection(organization_id: str, collection_id: str, data: CollectionPatch, key: Key = None) -> Json:
    caller = await store.admit(key, WRITE, organization_id)
    changes = {name: value for name, value in structs.asdict(data).items() if value is not UNSET}
    return await store.change(caller, collection_id, changes)  # type: ignore[no-any-return] # as above


@get(ONE + "/tracks")
async def list_tracks(
    organization_id: str, collection_id: str, limit: TrackLimit = 200, offset: Offset = 0, key: Key = None
) -> Json:
    caller = await store.admit(key, READ, organization_id)
    return await store.tracks(caller, collection_id, limit, offset)  # type: ignore[no-any-return] # as above


@patch(ONE + "/order")
async def reorder(organization_id: str, collection_id: str, data: CollectionOrder, key: Key = None) -> Json:
    caller = await store.admit(key, WRITE, organization_id)
    return await store.reorder(caller, collection_id, data.ordered_track_ids)  # type: ignore[no-any-return] # as above


def _refused(_request: Request[Any, Any, Any], refused: Refused) -> Response[Any]:
    return Response(envelope(refused.status, refused.code), status_code=refused.status)


def _invalid(_request: Request[Any, Any, Any], _error: ValidationException) -> Response[Any]:
    return Response(envelope(Invalid.status, Invalid.code), status_code=Invalid.status)


app = Litestar(
    [list_collections, create_collection, get_collection, update_collection, list_tracks, reorder],
    on_startup=[store.connect],
    exception_handlers={Refused: _refused, ValidationException: _invalid},
    openapi_config=None,
    logging_config=None,
)
