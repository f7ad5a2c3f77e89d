"""Litestar with msgspec bodies over SQLAlchemy Core: sqlite3 on the event loop, or asyncpg."""

from typing import Annotated, Any

from litestar import Litestar, Request, Response, get, patch, post
from litestar.exceptions import ValidationException
from litestar.params import Parameter
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from tools.bench.peers.litestar.store import Store
from tools.bench.peers.music.failures import Invalid, Refused, envelope
from tools.bench.peers.music.rules import READ, WRITE, Caller

AT = "/v1/music/{organization_id:str}/collections"
_BLANK = r"\x20\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF"
NAME = (
    rf"^[{_BLANK}]*[^\x00-\x20\x7F-\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF][^\x00-\x1F\x7F-\x9F]*$"
)

Name = Annotated[str, Meta(min_length=1, max_length=512, pattern=NAME)]
Description = Annotated[str, Meta(max_length=4096, pattern=r"^[^\x00]*$")]
Track = Annotated[str, Meta(max_length=19, pattern="^mtrack_[0-9a-f]{12}$")]
Cover = Annotated[str, Meta(max_length=1024, pattern=r"^https?://[A-Za-z0-9\[][!#-;=?-\[\]_a-z~]*$")]
Limit = Annotated[int, Parameter(ge=1, le=100)]
TrackLimit = Annotated[int, Parameter(ge=1, le=500)]
Offset = Annotated[int, Parameter(ge=0, le=2_147_483_647)]

store = Store()


class NewCollection(Struct, forbid_unknown_fields=True):
    """What a collection starts with."""

    name: Name
    description: Description | None = None
    cover_track_id: Track | None = None
    cover_image_url: Cover | None = None


class CollectionPatch(Struct, forbid_unknown_fields=True):
    """What is to change; a field that is left out stays."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    cover_track_id: Track | UnsetType | None = UNSET
    cover_image_url: Cover | UnsetType | None = UNSET


class CollectionOrder(Struct, forbid_unknown_fields=True):
    """A new order of tracks."""

    ordered_track_ids: Annotated[list[Track], Meta(max_length=10_000)]


@get(AT)
async def list_collections(request: Request[Any, Any, Any], organization_id: str, limit: Limit = 50, offset: Offset = 0) -> dict[str, Any]:  # fmt: skip # noqa: E501
    return await store.page(await _caller(request, READ, organization_id), limit, offset)


@post(AT)
async def create_collection(request: Request[Any, Any, Any], organization_id: str, data: NewCollection) -> dict[str, Any]:  # fmt: skip # noqa: E501
    return await store.create(await _caller(request, WRITE, organization_id), structs.asdict(data))


@get(AT + "/{collection_id:str}")
async def get_collection(request: Request[Any, Any, Any], organization_id: str, collection_id: str) -> dict[str, Any]:
    return await store.get(await _caller(request, READ, organization_id), collection_id)


@patch(AT + "/{collection_id:str}")
async def update_collection(
    request: Request[Any, Any, Any], organization_id: str, collection_id: str, data: CollectionPatch
) -> dict[str, Any]:
    changes = {name: value for name, value in structs.asdict(data).items() if value is not UNSET}
    return await store.change(await _caller(request, WRITE, organization_id), collection_id, changes)


@get(AT + "/{collection_id:str}/tracks")
async def list_tracks(
    request: Request[Any, Any, Any],
    organization_id: str,
    collection_id: str,
    limit: TrackLimit = 200,
    offset: Offset = 0,
) -> dict[str, Any]:
    return await store.tracks(await _caller(request, READ, organization_id), collection_id, limit, offset)


@patch(AT + "/{collection_id:str}/order")
async def reorder(
    request: Request[Any, Any, Any], organization_id: str, collection_id: str, data: CollectionOrder
) -> dict[str, Any]:
    wished = data.ordered_track_ids
    if len(set(wished)) != len(wished):
        raise Invalid
    return await store.reorder(await _caller(request, WRITE, organization_id), collection_id, wished)


async def _caller(request: Request[Any, Any, Any], scope: str, organization_id: str) -> Caller:
    return await store.admit(request.headers.get("X-API-Key"), scope, organization_id)


def _refused(_request: Request[Any, Any, Any], refused: Refused) -> Response[dict[str, object]]:
    return Response(envelope(refused.status, refused.code), status_code=refused.status)


def _invalid(request: Request[Any, Any, Any], _error: ValidationException) -> Response[dict[str, object]]:
    return _refused(request, Invalid())


app = Litestar(
    [list_collections, create_collection, get_collection, update_collection, list_tracks, reorder],
    openapi_config=None,
    exception_handlers={Refused: _refused, ValidationException: _invalid},
    logging_config=None,
)
