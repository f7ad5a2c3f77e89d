"""Instructions of one request in process, counted by callgrind: `python -m tools.bench.instructions`.

Writes docs/instructions.json, from which the next published report makes its section "Where Python's wall is".
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tools.bench import build, data, databases, instruction_table
from tools.bench.crowd import to_bytes
from tools.bench.progress import Bar
from tools.bench.targets import BY_NAME, ROOT, VENVS
from tools.bench.workloads import BY_NAME as WORKLOADS
from tools.bench.workloads import requests

TIMES, DISTINCT = 200, 50
LIBRARY = ROOT / "dist" / "bench" / "callgrind.so"
# The part of a request by the path of the file that the instruction belongs to; the first match counts.
PARTS = {
    "SQLite": ("libsqlite3", "_sqlite3"),
    "server": ("/uvloop/", "/httptools/"),
    "JSON and checks": ("/orjson/", "/msgspec/", "/pydantic_core/", "/jsonschema_rs/"),
    "interpreter": ("libpython", "/bin/python", "/lib-dynload/"),
}
OTHER = "others"


class Case(NamedTuple):
    """An application as `counted` names it, its peer, the protocol, and the workload."""

    title: str
    application: str
    protocol: str
    workload: str
    peer: str = ""


CASES = (
    *(Case(title, "empty", protocol, "get") for protocol, title in instruction_table.EMPTY.items()),
    *(Case(title, application, protocol, workload, peer) for workload in ("get", "list")
      for title, application, protocol, peer in (
        (instruction_table.BARE, "tools.bench.peers.bare.app:app", "stock", "bare"),
        (instruction_table.OURS, "music-studio", "own", ""),
        ("Litestar, SQL by hand", "tools.bench.peers.litestar.app:app", "stock", "litestar"),
        ("FastAPI, SQL by hand", "tools.bench.peers.fastapi.loop:app", "stock", "fastapi-by-hand"),
        ("FastAPI, Core", "tools.bench.peers.fastapi.loop:app", "stock", "fastapi-async"),
    )),
)  # fmt: skip


def parts_of(profile: str) -> dict[str, int]:
    """Instructions of each part in a profile of callgrind, without those of called functions.

    A line of costs has a position and a number; the line after `calls=` has what the called function cost, which is
    counted where that function is. `ob=(1) /path` names the file of what follows, and `ob=(1)` names it again.
    """
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    part, skipped = OTHER, False
    for line in profile.splitlines():
        if line.startswith("ob="):
            number, _, name = line.removeprefix("ob=").partition(" ")
            part = _part(names.setdefault(number, name))
        elif line.startswith(("cob=", "cobj=")) and " " in line:
            number, _, name = line.partition("=")[2].partition(" ")
            names.setdefault(number, name)
        elif line.startswith("calls="):
            skipped = True
        elif line[:1] in "0123456789+-*" and line:
            if not skipped:
                counts[part] += int(line.split()[1])
            skipped = False
    return dict(counts)


def _part(file: str) -> str:
    return next((part for part, words in PARTS.items() if any(word in file for word in words)), OTHER)


def measure(cases: Iterable[Case], times: int) -> list[dict[str, Any]]:
    """One record per case: instructions per request, by part. Needs valgrind and gcc; raises RuntimeError."""
    chosen = list(cases)
    build.build(BY_NAME[case.peer] for case in chosen if case.peer)
    LIBRARY.parent.mkdir(parents=True, exist_ok=True)
    _run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(LIBRARY), str(Path(__file__).with_name("callgrind.c"))], {})
    with databases.fresh("sqlite", databases.cores()[2]) as url, Bar("Counting", len(chosen)) as bar:
        filled = data.load(url)
        records = []
        for case in chosen:
            bar.show(f"{case.title}, {case.workload}")
            records.append(_record(case, url, filled, times))
            bar.step()
    return records


def _record(case: Case, url: str, filled: data.Data, times: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="music-studio-bench-") as name:
        file, profile = Path(name) / "requests.json", Path(name) / "callgrind.out"
        sent = requests(WORKLOADS[case.workload], filled)[:DISTINCT]
        file.write_text(json.dumps([to_bytes(one, "keep-alive").decode() for one in sent]), encoding="utf-8")
        python = str(VENVS / BY_NAME[case.peer].home / "bin" / "python") if case.peer else sys.executable
        _run(["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={profile}", python, "-m",
              "tools.bench.counted", str(LIBRARY), case.application, case.protocol, str(times), str(file)],
             {"BENCH_DATABASE_URL": url, "BENCH_PEPPER": data.PEPPER, "PYTHONPATH": str(ROOT),
              "BENCH_STORE": BY_NAME[case.peer].store if case.peer else ""})  # fmt: skip
        counted = parts_of(profile.read_text(encoding="utf-8"))
    return {"title": case.title, "workload": case.workload, "protocol": case.protocol,
            "parts": {part: round(count / times) for part, count in sorted(counted.items())}}  # fmt: skip


def _run(command: list[str], extra: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=os.environ | extra, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-3000:]}")


def main() -> int:
    """Counts, writes the figures and prints the section."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.instructions", description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES, help="requests of each case (default %(default)s)")
    options = parser.parse_args()
    records = measure(CASES, options.times)
    facts = {"python": platform.python_version(), "machine": platform.machine(), "times": options.times}
    file = ROOT / "docs" / instruction_table.FILE
    file.write_text(json.dumps({"about": facts, "records": records}, indent=1) + "\n", encoding="utf-8")
    print(instruction_table.section(file.parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
