"""Does with the Python client what each line on standard input asks for, and says on a line what came of it."""

import json
import sys
from collections.abc import Callable
from typing import Any

from music_studio_client import (
    ApiException,
    Collection,
    CollectionCreate,
    CollectionOrder,
    CollectionPatch,
    CollectionsApi,
    CollectionTrackCreate,
    GenerationsApi,
)
from music_studio_client.studio import MusicStudio, every


def api(step: dict[str, Any]) -> CollectionsApi:
    return CollectionsApi(MusicStudio(step["url"], step["api_key"], timeout=step["timeout"], retries=step["retries"]))


def seen(made: Collection) -> dict[str, Any]:
    return {
        "id": made.id,
        "name": made.name,
        "description": made.description,
        "cover_track_id": made.cover_track_id,
        "track_count": made.track_count,
    }


ACTIONS: dict[str, Callable[[CollectionsApi, str, dict[str, Any]], Any]] = {
    "create": lambda api, home, step: seen(
        api.create_collection(home, CollectionCreate(**step["body"]), idempotency_key=step.get("idempotency_key"))
    ),
    "get": lambda api, home, step: seen(api.get_collection(home, step["collection"])),
    "update": lambda api, home, step: seen(
        api.update_collection(home, step["collection"], CollectionPatch(**step["body"]), if_match=step.get("if_match"))
    ),
    "delete": lambda api, home, step: api.delete_collection(home, step["collection"]).id,
    "list": lambda api, home, step: [seen(one) for one in api.list_collections(home, limit=step["limit"]).items],
    "every": lambda api, home, step: [seen(one) for one in every(api.list_collections, home, limit=step["limit"])],
    "jobs": lambda api, home, step: [
        one.id for one in every(GenerationsApi(api.api_client).list_generations, home, limit=step["limit"])
    ],
    "tracks": lambda api, home, step: [
        one.track_id for one in api.list_collection_tracks(home, step["collection"]).items
    ],
    "add": lambda api, home, step: (
        api.add_collection_track(home, step["collection"], CollectionTrackCreate(track_id=step["track"])).id
    ),
    "remove": lambda api, home, step: api.remove_collection_track(home, step["collection"], step["track"]).id,
    "reorder": lambda api, home, step: (
        api.reorder_collection(home, step["collection"], CollectionOrder(ordered_track_ids=step["tracks"])).id
    ),
}


def outcome(step: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"value": ACTIONS[step["do"]](api(step), step["organization"], step)}
    except ApiException as failure:
        error = failure.data.error if failure.data else None
        return {
            "error": {
                "status": failure.status,
                "code": error and error.code,
                "type": error and error.type,
                "violations": [
                    {"pointer": one.pointer, "code": one.code} for one in (error.details.errors or () if error else ())
                ],
            }
        }
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is the outcome
        return {"failure": repr(failure)}


for line in sys.stdin:
    print(json.dumps(outcome(json.loads(line))), flush=True)
