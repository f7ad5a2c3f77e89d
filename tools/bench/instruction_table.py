"""Section of the published page about instructions: where Python's wall is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.bench.workloads import BY_NAME as WORKLOAD

FILE = "instructions.json"
OURS, BARE = "Music Studio", "bare ASGI"
EMPTY = {"stock": "empty application, uvicorn's protocol", "own": "empty application, our protocol"}
PARTS = ("interpreter", "SQLite", "JSON and checks", "server", "others")
TEXT = """\
## Where Python's wall is

Thousands of instructions of one request on SQLite, counted by callgrind in process: bytes go into the HTTP protocol and
come out of it, without a socket, so the kernel's part is missing for all. Python {python} on {machine}, the mean of
{times} requests. An instruction belongs to the file that it is in: `interpreter` is what CPython executes for Python
code of server, framework, driver and service; `server` is the compiled part of uvloop and httptools; `others` is mostly
the C library. The peers look up the API key on each request. The service caches it for 0.25 s, which saves less here
than otherwise, because under callgrind a request takes about fifty times as long.
"""
WALL = """
Of the {total} thousand instructions of the service's GET, {server} are its protocol with an application that does
nothing, {query} are what key, query, driver and JSON cost bare ASGI, and {own} are the rest: routing, authentication,
validation of request and response, a log line, an entity tag and limits. With nothing of the rest, it would need
{kept:.0%} of what it needs now; that is the wall of a server in CPython with this protocol and this driver. The
interpreter executes {interpreter:.0%} of all its instructions, and {floor:.0%} of those of bare ASGI.
"""


def section(folder: Path) -> str:
    """The section, from the figures in the folder, or nothing."""
    file = folder / FILE
    if not file.exists():
        return ""
    figures = json.loads(file.read_text(encoding="utf-8"))
    records = figures["records"]
    head = "| | total | " + " | ".join(PARTS) + " |"
    lines = [head, "| --- |" + " --- |" * (len(PARTS) + 1), *map(_row, records)]
    return "\n".join([TEXT.format(**figures["about"]), *lines, *_conclusion(records)])


def _row(record: dict[str, Any]) -> str:
    parts = record["parts"]
    cells = [f"{count / 1000:,.0f}" for count in (sum(parts.values()), *(parts.get(part, 0) for part in PARTS))]
    empty = record["title"].startswith("empty")
    title = record["title"] if empty else f"{record['title']}: {WORKLOAD[record['workload']].title}"
    return f"| {f'**{title}**' if title.startswith('Music Studio') else title} | " + " | ".join(cells) + " |"


def _conclusion(records: list[dict[str, Any]]) -> Iterator[str]:
    parts = {record["title"]: record["parts"] for record in records if record["workload"] == "get"}
    if not parts.keys() >= {OURS, BARE, *EMPTY.values()}:
        return
    count = {title: sum(one.values()) for title, one in parts.items()}
    server, query = count[EMPTY["own"]], count[BARE] - count[EMPTY["stock"]]
    own = count[OURS] - server - query
    thousands = {"total": count[OURS], "server": server, "query": query, "own": own}
    shares = {
        "kept": 1 - own / count[OURS],
        "interpreter": _interpreted(parts[OURS]),
        "floor": _interpreted(parts[BARE]),
    }
    yield WALL.format(**{name: f"{value / 1000:,.0f}" for name, value in thousands.items()}, **shares)


def _interpreted(parts: dict[str, int]) -> float:
    return parts.get("interpreter", 0) / sum(parts.values())
