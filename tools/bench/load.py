"""Load generator: wrk on its own core, with requests from a Lua table."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench.workloads import Request

SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True)
class Result:
    """The result of one run of wrk; times in milliseconds, `refused` counts responses with status 400 and above."""

    requests: int
    seconds: float
    refused: int
    connect: int
    read: int
    write: int
    timeout: int
    p50: float
    p90: float
    p99: float
    max: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def write_table(requests: list[Request], file: Path) -> None:
    """The requests as a Lua file."""
    file.write_text("return {\n" + "".join(map(_row, requests)) + "}\n", encoding="utf-8")


def run(
    port: int, table: Path, *, core: int | str, seconds: int, connections: int, pause_ms: int | None = None
) -> Result:
    """Loads a server, with an optional pause before each request of a connection. Raises RuntimeError if wrk fails."""
    wrk, taskset = shutil.which("wrk"), shutil.which("taskset")
    if wrk is None or taskset is None:
        raise RuntimeError("The benchmark needs wrk and taskset: apt install wrk util-linux.")
    command = [taskset, "-c", str(core), wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s",
               str(SCRIPT), f"http://127.0.0.1:{port}", "--", str(table),
               *([] if pause_ms is None else [str(pause_ms)])]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if done.returncode or line is None:
        raise RuntimeError(f"wrk failed: {done.stdout}{done.stderr}")
    return _result(json.loads(line.removeprefix("RESULT ")))


def _row(request: Request) -> str:
    body = f", body = {json.dumps(request.body)}" if request.body else ""
    return f'  {{method = "{request.method}", path = "{request.path}", key = "{request.key}"{body}}},\n'


def _result(raw: dict[str, Any]) -> Result:
    counts = {name: int(raw[name]) for name in ("requests", "refused", "connect", "read", "write", "timeout")}
    times = {name: raw[name] / 1000 for name in ("p50", "p90", "p99", "max")}
    values: dict[str, Any] = counts | times
    return Result(seconds=raw["us"] / 1e6, **values)
