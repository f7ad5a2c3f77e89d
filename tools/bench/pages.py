"""Bytes, requests and first paint of the documentation in Chromium.

`python -m tools.bench.pages` starts a server with the demo, and compares its pages with the explorer, in one run of the
browser. Decision 87.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tools.testing.service import ROOT, Services

TITLE = "## Reference pages in Chromium"
REPORT = ROOT / "docs" / "benchmark.md"
HOME = "/docs/api-reference/music"
EXPLORER = "explorer"
INTRODUCTION = """\
{day}, medians of {rounds} interleaved rounds in one run of the browser, each visit with an empty cache. Bytes are
compressed, as they go over the wire. First paint is that of the first text (First Contentful Paint); for the search it
is the time from the key to the first result, and its index and script are in the bytes. The explorer is Scalar, which
was `/docs` until 2.0.0. `python -m tools.bench.pages --publish` writes this section.

| Page | Bytes | Requests | First paint, ms | Part of the explorer's |
| --- | --- | --- | --- | --- |"""
Records = list[dict[str, Any]]


class Visit(NamedTuple):
    """A page that is visited; with a word, it is searched for there, and the time is that until the first result."""

    name: str
    path: str
    word: str = ""


VISITS = (
    Visit("front", "/docs"),
    Visit("operation", f"{HOME}/create-collection"),
    Visit("object", f"{HOME}/collection-object"),
    Visit("errors", f"{HOME}/errors"),
    Visit("guide", f"{HOME}/rate-limits"),
    Visit("search", f"{HOME}/paging", "COLLECTION_FULL"),
    Visit("404", f"{HOME}/get-colection"),
    Visit(EXPLORER, "/docs/explorer"),
)


def main() -> None:
    options = _arguments()
    with tempfile.TemporaryDirectory() as folder, closing(Services(Path(folder))) as services:
        records = measure(services.start(services.fresh_database("sqlite"), RATE_LIMIT="off").url, options.rounds)
    text = section(records, options.rounds)
    if options.publish:
        REPORT.write_text(with_section(REPORT.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(json.dumps(records) if options.json else text)


def measure(origin: str, rounds: int) -> Records:
    """One record per visit: the name of the page, bytes over the wire, requests and milliseconds."""
    command = [str(Path(sys.executable).parent / "node"), str(Path(__file__).with_name("pages.mjs"))]
    visits = json.dumps([visit._asdict() for visit in VISITS])
    done = subprocess.run(
        [*command, origin, str(rounds), visits], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    records: Records = json.loads(done.stdout)
    return records


def section(records: Records, rounds: int) -> str:
    """The section of the report: the medians of each page, and its time as a part of that of the explorer."""
    rows = "\n".join(_row(records, visit.name) for visit in VISITS)
    return f"{TITLE}\n\n{INTRODUCTION.format(day=datetime.now(UTC).date(), rounds=rounds)}\n{rows}\n"


def with_section(report: str, text: str) -> str:
    """A report with the section at its end, in the place of an earlier one."""
    return f"{report.partition(TITLE)[0].rstrip()}\n\n{text}"


def section_of(report: Path) -> str:
    """The section of a report, with the blank line before it; empty if it has none."""
    found = report.read_text(encoding="utf-8").partition(TITLE) if report.exists() else ("", "", "")
    return "\n" + "".join(found[1:]) if found[1] else ""


def _row(records: Records, name: str) -> str:
    share = _median(records, name, "milliseconds") / _median(records, EXPLORER, "milliseconds")
    cells = [f"{_median(records, name, field):,.0f}" for field in ("bytes", "requests", "milliseconds")]
    return f"| {name} | {' | '.join(cells)} | {share:.2f} |"


def _median(records: Records, name: str, field: str) -> float:
    return float(median(record[field] for record in records if record["page"] == name))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.pages", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="visits of each page (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one record per visit")
    parser.add_argument("--publish", action="store_true", help=f"write the section into {REPORT.relative_to(ROOT)}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
