"""The steps of scenario.yaml as the drivers get them: an operation, its arguments and its body."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.clients.languages import Language

SCENARIO = yaml.safe_load(Path(__file__).with_name("scenario.yaml").read_text(encoding="utf-8"))

# Operation and mode of each action; `first` is one page, `every` is the items of all pages.
ACTIONS = {
    "create": ("create_collection", ""),
    "get": ("get_collection", ""),
    "update": ("update_collection", ""),
    "delete": ("delete_collection", ""),
    "list": ("list_collections", "first"),
    "every": ("list_collections", "every"),
    "jobs": ("list_generations", "every"),
    "tracks": ("list_collection_tracks", "first"),
    "add": ("add_collection_track", ""),
    "remove": ("remove_collection_track", ""),
    "reorder": ("reorder_collection", ""),
}
ARGUMENTS = {
    "organization": "organization_id",
    "collection": "collection_id",
    "limit": "limit",
    "idempotency_key": "Idempotency-Key",
    "if_match": "If-Match",
    "if_none_match": "If-None-Match",
}
SETTINGS = ("url", "api_key", "timeout", "retries")
ACKNOWLEDGED = ("add", "remove", "reorder", "delete")


def of(part: str, language: Language) -> list[dict[str, Any]]:
    """The steps of a language; `part` is live or misbehaving."""
    return [_expected(step, language) for step in SCENARIO[part] if language.name not in step.get("not_in", ())]


def _expected(step: dict[str, Any], language: Language) -> dict[str, Any]:
    """The step with the attempts of the language, without the class of the error where there is one class for all."""
    step = step | {"attempts": step.get("attempts_in", {}).get(language.name, step.get("attempts"))}
    error = step["expect"].get("error")
    if not error or language.is_own:
        return step
    return step | {"expect": {"error": {key: value for key, value in error.items() if key != "kind"}}}


def asked(step: dict[str, Any]) -> dict[str, Any]:
    """What a driver is sent for a step that has `do`, or that names an operation."""
    operation, mode = ACTIONS.get(step.get("do", ""), (step.get("operation"), ""))
    arguments = {name: step[key] for key, name in ARGUMENTS.items() if key in step} | step.get("arguments", {})
    if step.get("do") == "remove":
        arguments["track_id"] = step["track"]
    body = {"add": {"track_id": step.get("track")}, "reorder": {"ordered_track_ids": step.get("tracks")}}
    return {key: step[key] for key in SETTINGS} | {
        "operation": operation,
        "mode": step.get("mode", mode),
        "arguments": arguments,
        "body": body.get(step.get("do", ""), step.get("body")),
    }


def answered(step: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    """The response in the form of scenario.yaml."""
    action = step.get("do", "")
    value: Any = response.get("value")
    if value is None:
        return response
    if action in ACKNOWLEDGED:
        return response | {"value": value["id"]}
    if action == "list":
        return response | {"value": value["items"]}
    if action == "tracks":
        return response | {"value": [item["track_id"] for item in value["items"]]}
    return response | {"value": [item["id"] for item in value]} if action == "jobs" else response
