"""Workloads: nine kinds of request, each a list that the load generator sends in a loop."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from tools.bench.data import ORGANIZATION, Data

AT = f"/v1/music/{ORGANIZATION}/collections"
DISTINCT_COLLECTIONS = 2000
ORDERED_TRACKS = 4600
UNUSED_ID = "mcoll_000000000000"


@dataclass(frozen=True)
class Request:
    """One request to send."""

    method: str
    path: str
    key: str
    body: str = ""


@dataclass(frozen=True)
class Workload:
    """A kind of request; `status` is the expected status of every response."""

    name: str
    title: str
    status: int
    writes: bool = False


GET = Workload("get", "GET one collection", 200)
ALL = (
    GET,
    Workload("list", "GET a list of 100", 200),
    Workload("tracks", "GET the 500 tracks of one", 200),
    Workload("post", "POST a new collection", 201, writes=True),
    Workload("patch", "PATCH its name", 200, writes=True),
    Workload("body", "PATCH with a 100 KB body", 200),
    Workload("404", "GET a missing one: 404", 404),
    Workload("401", "GET with a revoked key: 401", 401),
    Workload("422", "POST an invalid body: 422", 422),
)
BY_NAME = {workload.name: workload for workload in ALL}


def requests(workload: Workload, data: Data) -> list[Request]:
    """The requests of a workload, in the order in which they are sent."""
    return list(_KINDS[workload.name](data))


def _get(data: Data) -> Iterator[Request]:
    for collection in data.read[:DISTINCT_COLLECTIONS]:
        yield Request("GET", f"{AT}/{collection}", data.reader)


def _list(data: Data) -> Iterator[Request]:
    yield Request("GET", f"{AT}?limit=100", data.reader)


def _tracks(data: Data) -> Iterator[Request]:
    yield Request("GET", f"{AT}/{data.big}/tracks?limit=500", data.reader)


def _post(data: Data) -> Iterator[Request]:
    body = json.dumps({"name": "Focus Sessions", "description": "Instrumental tracks for deep work"})
    yield Request("POST", AT, data.writer, body)


def _patch(data: Data) -> Iterator[Request]:
    # Each PATCH sends another name than the one before, so that every request changes something.
    mark = secrets.token_hex(3)
    for number in range(2):
        for collection in data.written:
            yield Request("PATCH", f"{AT}/{collection}", data.writer, json.dumps({"name": f"Renamed {mark} {number}"}))


def _body(data: Data) -> Iterator[Request]:
    # Ids that are in no collection are ignored: the body is read and validated, and nothing is written.
    ids = [f"mtrack_{number:012x}" for number in range(ORDERED_TRACKS)]
    for collection in data.written[:10]:
        yield Request("PATCH", f"{AT}/{collection}/order", data.writer, json.dumps({"ordered_track_ids": ids}))


def _missing(data: Data) -> Iterator[Request]:
    yield Request("GET", f"{AT}/{UNUSED_ID}", data.reader)


def _revoked(data: Data) -> Iterator[Request]:
    yield Request("GET", f"{AT}/{data.read[0]}", data.revoked)


def _invalid(data: Data) -> Iterator[Request]:
    yield Request("POST", AT, data.writer, json.dumps({"title": "Focus Sessions", "description": 7}))


_KINDS = {"get": _get, "list": _list, "tracks": _tracks, "post": _post, "patch": _patch, "body": _body,
          "404": _missing, "401": _revoked, "422": _invalid}  # fmt: skip
