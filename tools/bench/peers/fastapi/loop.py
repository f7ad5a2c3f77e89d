"""FastAPI with async endpoints, on the data layer that BENCH_STORE names: awaited, on_loop or by_hand."""

import os
from importlib import import_module
from typing import Annotated, Any

from fastapi import Depends

from tools.bench.peers.fastapi.parts import AT, Key, Limit, Offset, TrackLimit, new_app
from tools.bench.peers.music import forms
from tools.bench.peers.music.rules import READ, WRITE, Caller

store: Any = import_module(f"tools.bench.peers.music.{os.environ['BENCH_STORE']}").Store()
app = new_app(store.connect)


async def reader(organization_id: str, key: Key = None) -> Caller:
    return await store.admit(key, READ, organization_id)


async def writer(organization_id: str, key: Key = None) -> Caller:
    return await store.admit(key, WRITE, organization_id)


Reader = Annotated[Caller, Depends(reader)]
Writer = Annotated[Caller, Depends(writer)]


@app.get(AT, response_model=forms.CollectionPage)
async def list_collections(caller: Reader, limit: Limit = 50, offset: Offset = 0) -> Any:
    return await store.page(caller, limit, offset)


@app.post(AT, response_model=forms.Collection, status_code=201)
async def create_collection(caller: Writer, body: forms.NewCollection) -> Any:
    return await store.create(caller, body.model_dump(exclude_unset=True))


@app.get(AT + "/{collection_id}", response_model=forms.Collection)
async def get_collection(caller: Reader, collection_id: str) -> Any:
    return await store.get(caller, collection_id)


@app.patch(AT + "/{collection_id}", response_model=forms.Collection)
async def update_collection(caller: Writer, collection_id: str, body: forms.CollectionPatch) -> Any:
    return await store.change(caller, collection_id, body.model_dump(exclude_unset=True))


@app.get(AT + "/{collection_id}/tracks", response_model=forms.TrackPage)
async def list_tracks(caller: Reader, collection_id: str, limit: TrackLimit = 200, offset: Offset = 0) -> Any:
    return await store.tracks(caller, collection_id, limit, offset)


@app.patch(AT + "/{collection_id}/order", response_model=forms.Acknowledgement)
async def reorder(caller: Writer, collection_id: str, body: forms.CollectionOrder) -> Any:
    return await store.reorder(caller, collection_id, body.ordered_track_ids)
