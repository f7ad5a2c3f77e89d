"""Flask with pydantic bodies over SQLAlchemy Core: sqlite3 or psycopg, in gunicorn's threads."""

from typing import Any, TypeVar

from flask import Flask, request
from pydantic import BaseModel, ValidationError

from tools.bench.peers.music import forms
from tools.bench.peers.music.failures import Invalid, Refused, envelope
from tools.bench.peers.music.plain import Store
from tools.bench.peers.music.rules import READ, WRITE, Caller

AT = "/v1/music/<organization_id>/collections"
Body = TypeVar("Body", bound=BaseModel)

app = Flask(__name__, static_folder=None)
app.json.sort_keys = False  # type: ignore[attr-defined] # only the abstract provider lacks it
store = Store()


@app.get(AT)
def list_collections(organization_id: str) -> dict[str, Any]:
    return store.page(_caller(READ, organization_id), _number("limit", 50, 100), _number("offset", 0, 2_147_483_647))


@app.post(AT)
def create_collection(organization_id: str) -> tuple[dict[str, Any], int]:
    caller = _caller(WRITE, organization_id)
    return store.create(caller, _body(forms.NewCollection).model_dump(exclude_unset=True)), 201


@app.get(AT + "/<collection_id>")
def get_collection(organization_id: str, collection_id: str) -> dict[str, Any]:
    return store.get(_caller(READ, organization_id), collection_id)


@app.patch(AT + "/<collection_id>")
def update_collection(organization_id: str, collection_id: str) -> dict[str, Any]:
    caller = _caller(WRITE, organization_id)
    return store.change(caller, collection_id, _body(forms.CollectionPatch).model_dump(exclude_unset=True))


@app.get(AT + "/<collection_id>/tracks")
def list_tracks(organization_id: str, collection_id: str) -> dict[str, Any]:
    caller = _caller(READ, organization_id)
    return store.tracks(caller, collection_id, _number("limit", 200, 500), _number("offset", 0, 2_147_483_647))


@app.patch(AT + "/<collection_id>/order")
def reorder(organization_id: str, collection_id: str) -> dict[str, Any]:
    caller = _caller(WRITE, organization_id)
    return store.reorder(caller, collection_id, _body(forms.CollectionOrder).ordered_track_ids)


@app.errorhandler(Refused)
def rendered(refused: Refused) -> tuple[dict[str, object], int]:
    return envelope(refused.status, refused.code), refused.status


def _caller(scope: str, organization_id: str) -> Caller:
    return store.admit(request.headers.get("X-API-Key"), scope, organization_id)


def _body(form: type[Body]) -> Body:
    try:
        return form.model_validate_json(request.get_data())
    except ValidationError as error:
        raise Invalid from error


def _number(name: str, default: int, most: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdigit() or int(text) > most:
        raise Invalid
    return int(text)
