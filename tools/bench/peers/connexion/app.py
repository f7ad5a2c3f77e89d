"""Stock Connexion FlaskApp with SQLAlchemy Core: sqlite3 or psycopg."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connexion.apps.flask import FlaskApp
from connexion.exceptions import BadRequestProblem
from connexion.lifecycle import ConnexionResponse
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver

from tools.bench.peers.music import rules
from tools.bench.peers.music.contract import of_workloads
from tools.bench.peers.music.failures import Refused, envelope
from tools.bench.peers.music.plain import Store
from tools.bench.peers.music.rules import READ, WRITE

store = Store()


def find_key(apikey: str) -> dict[str, Any] | None:
    """The row of an active key for Connexion's security handler, which responds 401 to None."""
    row = store.key(apikey)
    return None if row is None or row.state != "active" else {"sub": row.user_id, "row": row}


def list_collections(organization_id: str, limit: int, offset: int, token_info: dict[str, Any]) -> Any:
    return store.page(rules.authenticate(token_info["row"], READ, organization_id), limit, offset)


def create_collection(organization_id: str, body: dict[str, Any], token_info: dict[str, Any]) -> Any:
    return store.create(rules.authenticate(token_info["row"], WRITE, organization_id), body), 201


def get_collection(organization_id: str, collection_id: str, token_info: dict[str, Any]) -> Any:
    return store.get(rules.authenticate(token_info["row"], READ, organization_id), collection_id)


def update_collection(
    organization_id: str, collection_id: str, body: dict[str, Any], token_info: dict[str, Any]
) -> Any:
    return store.change(rules.authenticate(token_info["row"], WRITE, organization_id), collection_id, body)


def list_collection_tracks(
    organization_id: str, collection_id: str, limit: int, offset: int, token_info: dict[str, Any]
) -> Any:
    return store.tracks(rules.authenticate(token_info["row"], READ, organization_id), collection_id, limit, offset)


def reorder_collection(
    organization_id: str, collection_id: str, body: dict[str, Any], token_info: dict[str, Any]
) -> Any:
    caller = rules.authenticate(token_info["row"], WRITE, organization_id)
    return store.reorder(caller, collection_id, body["ordered_track_ids"])


HANDLERS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        list_collections, create_collection, get_collection, update_collection, list_collection_tracks,
        reorder_collection,
    )
}  # fmt: skip


def contract() -> dict[str, Any]:
    """The service's contract, reduced to the operations of the workloads and the API key."""
    document = of_workloads(json.loads(Path(os.environ["BENCH_CONTRACT"]).read_text(encoding="utf-8")))
    document["components"]["securitySchemes"]["ApiKeyAuth"]["x-apikeyInfoFunc"] = (
        "tools.bench.peers.connexion.app.find_key"
    )
    return document


def _refused(_request: Any, refused: Any) -> ConnexionResponse:
    body = json.dumps(envelope(refused.status, refused.code))
    return ConnexionResponse(refused.status, body=body, content_type="application/json")


def _invalid(_request: Any, _problem: Any) -> ConnexionResponse:
    body = json.dumps(envelope(422, "VALIDATION_ERROR"))
    return ConnexionResponse(422, body=body, content_type="application/json")


app = FlaskApp(__name__, server_args={"static_folder": None})
app.add_api(
    contract(),
    resolver=Resolver(HANDLERS.__getitem__),
    swagger_ui_options=SwaggerUIOptions(serve_spec=False, swagger_ui=False),
)
app.add_error_handler(Refused, _refused)
app.add_error_handler(BadRequestProblem, _invalid)
app.app.json.sort_keys = False  # type: ignore[attr-defined] # only the abstract provider lacks it
