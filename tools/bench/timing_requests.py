"""Every request with an id that may be somebody else's, and those of share tokens."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.bench.workloads import AT

HOME, SHARED, PAGES, TOKEN = AT.removesuffix("/collections"), "/v1/music/shared", "/shared", "shr_"
# A seal of the right form that opens nothing.
SEAL = "mseal_" + 124 * "A"


@dataclass(frozen=True)
class TestedRequest:
    """One request; `{}` in path or body is replaced by the id."""

    name: str
    method: str
    path: str
    body: str = ""
    more: str = ""
    prefix: str = "mcoll_"
    at: str = AT
    foreign: str = "collections"

    def to_bytes(self, key: str, identifier: str) -> bytes:
        body = self.body.replace("{}", identifier)
        typed = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        head = f"{self.method} {self.at}{self.path.replace('{}', identifier)} HTTP/1.1\r\nHost: localhost\r\n"
        return f"{head}X-API-Key: {key}\r\n{self.more}{typed}\r\n{body}".encode()

    def unused(self) -> str:
        """A new id, or a new token."""
        bits = 128 if self.prefix == TOKEN else 48
        return f"{self.prefix}{random.getrandbits(bits):0{bits // 4}x}"


def tested_requests(mine: str, listed: Sequence[str]) -> Iterator[TestedRequest]:
    """`mine` is a collection of the caller, and `listed` are tracks that the caller may hear."""
    yield from _of_collections(listed)
    yield from _of_tracks(mine)
    yield from _of_jobs_and_sessions()
    yield from _of_links()


def _of_collections(listed: Sequence[str]) -> Iterator[TestedRequest]:
    renamed, matched = '{"name": "Renamed"}', 'If-Match: "1"\r\n'
    yield TestedRequest("get", "GET", "/{}")
    yield TestedRequest("change", "PATCH", "/{}", renamed)
    yield TestedRequest("change of version 1", "PATCH", "/{}", renamed, matched)
    yield TestedRequest("delete", "DELETE", "/{}")
    yield TestedRequest("list tracks", "GET", "/{}/tracks?limit=500")
    yield TestedRequest("add a track", "POST", "/{}/tracks", json.dumps({"track_id": listed[0]}))
    yield TestedRequest("remove a track", "DELETE", f"/{{}}/tracks/{listed[0]}")
    yield TestedRequest("reorder", "PATCH", "/{}/order", json.dumps({"ordered_track_ids": listed[:12]}))
    yield TestedRequest("share a collection", "POST", "/{}/share")
    yield TestedRequest("list the library of a collection", "GET", "/tracks?collection_id={}", at=HOME)


def _of_tracks(mine: str) -> Iterator[TestedRequest]:
    """A foreign track is one of another organization, or one of a colleague."""
    job = '{"engine": "studio", "prompt": "A", "duration_seconds": 9, "seed_track_id": "{}"}'
    for whose in ("foreign", "colleague's"):
        of_track = {"prefix": "mtrack_", "foreign": f"{whose} tracks"}
        at_home = of_track | {"at": HOME}
        yield TestedRequest(f"add a {whose} track", "POST", f"/{mine}/tracks", '{"track_id": "{}"}', **of_track)
        yield TestedRequest(f"{whose} cover", "POST", "", '{"name": "A", "cover_track_id": "{}"}', **of_track)
        yield TestedRequest(f"get a {whose} track", "GET", "/tracks/{}", **at_home)
        yield TestedRequest(f"delete a {whose} track", "DELETE", "/tracks/{}", **at_home)
        yield TestedRequest(f"save a {whose} track", "POST", "/tracks/{}/save", **at_home)
        yield TestedRequest(f"unsave a {whose} track", "DELETE", "/tracks/{}/save", **at_home)
        yield TestedRequest(f"share a {whose} track", "POST", "/tracks/{}/share", **at_home)
        yield TestedRequest(f"seed of a {whose} track", "POST", "/generations", job, **at_home)
        played = at_home | {"at": "/v1/music"}
        yield TestedRequest(f"play a {whose} track", "GET", f"/audio/{{}}.mp3?sig={SEAL}", **played)


def _of_jobs_and_sessions() -> Iterator[TestedRequest]:
    of_job = {"prefix": "mjob_", "foreign": "jobs", "at": HOME}
    yield TestedRequest("get a job", "GET", "/generations/{}", **of_job)
    yield TestedRequest("cancel a job", "POST", "/generations/{}/cancel", **of_job)
    of_session = {"prefix": "mfocus_", "foreign": "sessions", "at": HOME}
    yield TestedRequest("get a session", "GET", "/focus/sessions/{}", **of_session)
    yield TestedRequest("end a session", "POST", "/focus/sessions/{}/end", **of_session)
    played = of_session | {"at": "/v1/music"}
    yield TestedRequest("play a segment", "GET", f"/audio/{{}}-0.mp3?sig={SEAL}", **played)


def _of_links() -> Iterator[TestedRequest]:
    of_link = {"prefix": "mslink_", "foreign": "links", "at": HOME}
    yield TestedRequest("revoke a link", "DELETE", "/share/{}", **of_link)
    for state in ("revoked", "expired"):
        of_token = {"prefix": TOKEN, "foreign": state}
        yield TestedRequest(f"open a {state} link", "GET", "/{}", at=SHARED, **of_token)
        yield TestedRequest(f"save from a {state} one", "POST", "/{}/save", at=SHARED, **of_token)
        yield TestedRequest(f"page of a {state} link", "GET", "/{}", at=PAGES, **of_token)
        yield TestedRequest(f"audio of a {state} link", "GET", "/{}/audio/1", at=PAGES, **of_token)
