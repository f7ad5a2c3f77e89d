"""Checks that all peers give the service's own response to every workload, before anything is measured."""

from __future__ import annotations

import json
from typing import Any

from tools.bench import servers
from tools.bench.data import Data
from tools.bench.workloads import ALL, BY_NAME, Request, Workload, requests

# Fields that the server generates for a new or changed collection.
GENERATED = ("id", "created_at", "updated_at")


def sample_requests(data: Data) -> dict[str, Request]:
    """One request of each workload, the same for every server."""
    return {workload.name: requests(workload, data)[0] for workload in ALL}


def responses(port: int, requests_by_name: dict[str, Request]) -> dict[str, Any]:
    """A server's responses, without the values of generated fields."""
    return {name: _response(port, BY_NAME[name], request) for name, request in requests_by_name.items()}


def differences(name: str, actual: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """One sentence for each response that differs from the expected one."""
    return [
        f"{name} responds to {workload!r} with {_short(actual[workload])}, not with {_short(expected[workload])}"
        for workload in expected
        if actual[workload] != expected[workload]
    ]


def _response(port: int, workload: Workload, request: Request) -> Any:
    status, body = servers.send(port, request)
    if status != workload.status or status >= 400:
        return status
    return status, _comparable(json.loads(body), workload)


def _comparable(value: Any, workload: Workload) -> Any:
    if not workload.writes:
        return value
    return value | {name: type(value[name]).__name__ for name in GENERATED}


def _short(response: Any) -> str:
    text = json.dumps(response)
    return text if len(text) < 300 else text[:300] + "..."
