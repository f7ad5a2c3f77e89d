"""Are all peers right? Each must give the service's own answer to every workload before anything is measured."""

from __future__ import annotations

import json
from typing import Any

from tools.bench import servers
from tools.bench.data import Data
from tools.bench.workloads import ALL, BY_NAME, Request, Workload, requests

# What a server chooses itself: these differ from one new or changed collection to the next.
CHOSEN = ("id", "created_at", "updated_at")


def questions(data: Data) -> dict[str, Request]:
    """One request of each workload, the same for every server."""
    return {workload.name: requests(workload, data)[0] for workload in ALL}


def answers(port: int, asked: dict[str, Request]) -> dict[str, Any]:
    """What a server says to them, without what it may choose freely."""
    return {name: _answer(port, BY_NAME[name], request) for name, request in asked.items()}


def differences(name: str, given: dict[str, Any], right: dict[str, Any]) -> list[str]:
    """Where a server's answers are not the right ones, in words."""
    return [
        f"{name} answers {workload!r} with {_short(given[workload])}, not with {_short(right[workload])}"
        for workload in right
        if given[workload] != right[workload]
    ]


def _answer(port: int, workload: Workload, request: Request) -> Any:
    status, body = servers.ask(port, request)
    if status != workload.status or status >= 400:
        return status
    return status, _comparable(json.loads(body), workload)


def _comparable(value: Any, workload: Workload) -> Any:
    if not workload.writes:
        return value
    return value | {name: type(value[name]).__name__ for name in CHOSEN}


def _short(answer: Any) -> str:
    text = json.dumps(answer)
    return text if len(text) < 300 else text[:300] + "..."
