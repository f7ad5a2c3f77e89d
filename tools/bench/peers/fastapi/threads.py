"""FastAPI with sync endpoints in worker threads and SQLAlchemy Core: sqlite3 or psycopg."""

from typing import Annotated, Any

from fastapi import Depends

from tools.bench.peers.fastapi.parts import AT, Key, Limit, Offset, TrackLimit, new_app
from tools.bench.peers.music import forms
from tools.bench.peers.music.plain import Store
from tools.bench.peers.music.rules import READ, WRITE, Caller

app = new_app()
store = Store()


def reader(organization_id: str, key: Key = None) -> Caller:
    return store.admit(key, READ, organization_id)


def writer(organization_id: str, key: Key = None) -> Caller:
    return store.admit(key, WRITE, organization_id)


Reader = Annotated[Caller, Depends(reader)]
Writer = Annotated[Caller, Depends(writer)]


@app.get(AT, response_model=forms.CollectionPage)
def list_collections(caller: Reader, limit: Limit = 50, offset: Offset = 0) -> Any:
    return store.page(caller, limit, offset)


@app.post(AT, response_model=forms.Collection, status_code=201)
def create_collection(caller: Writer, body: forms.NewCollection) -> Any:
    return store.create(caller, body.model_dump(exclude_unset=True))


@app.get(AT + "/{collection_id}", response_model=forms.Collection)
def get_collection(caller: Reader, collection_id: str) -> Any:
    return store.get(caller, collection_id)


@app.patch(AT + "/{collection_id}", response_model=forms.Collection)
def update_collection(caller: Writer, collection_id: str, body: forms.CollectionPatch) -> Any:
    return store.change(caller, collection_id, body.model_dump(exclude_unset=True))


@app.get(AT + "/{collection_id}/tracks", response_model=forms.TrackPage)
def list_tracks(caller: Reader, collection_id: str, limit: TrackLimit = 200, offset: Offset = 0) -> Any:
    return store.tracks(caller, collection_id, limit, offset)


@app.patch(AT + "/{collection_id}/order", response_model=forms.Acknowledgement)
def reorder(caller: Writer, collection_id: str, body: forms.CollectionOrder) -> Any:
    return store.reorder(caller, collection_id, body.ordered_track_ids)
