"""Results of the timing test, kept in docs/timing.json between its parts, and their table, docs/timing.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from settings import ROOT

FILE, PAGE = ROOT / "docs" / "timing.json", ROOT / "docs" / "timing.md"
INTRODUCTION = """\
# Response times of what is hidden

Whether an id is somebody else's or nobody's is in no byte of a response, and not in its time. `make timing` measures
it, on one core for the server and another for the client: one keep-alive connection, ids of three classes in random
order: of another user or another organization (tokens: of a revoked or expired link), unused (a new one each time), and
unused again, which is the control. The slowest tenth of all times is cropped. AUC is the probability that the answer to
a foreign id takes longer than that to an unused one; 0.5 tells nothing. The goal is |AUC - 0.5| < 0.02 and |t| < 4.5,
for the control too.
"""


class Results:
    """The figures by database and request. What has been measured with as many requests is not measured again."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}

    def has(self, database: str, request: str, per_class: int) -> bool:
        """Whether there is a verdict from at least so many requests of each class."""
        row = self._rows.get(f"{database}: {request}", {"verdict": "too noisy"})
        return row["verdict"] != "too noisy" and int(row["asked"]) >= per_class

    def add(self, row: dict[str, Any]) -> None:
        """Keeps the figures of one request, and writes both files."""
        self._rows[f"{row['database']}: {row['request']}"] = row
        FILE.write_text(json.dumps(self._rows, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text("\n".join([INTRODUCTION, *self._table(), ""]), encoding="utf-8")

    def _table(self) -> Iterator[str]:
        yield "| Database | Request | Requests of a class | Median | AUC | t | AUC of the control | |"
        yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
        yield from map(_line, self._rows.values())


def _line(row: dict[str, Any]) -> str:
    if "result" not in row:
        return f"| {row['database']} | {row['request']} | | | | | | other bytes |"
    result, control = row["result"], row["control"]
    cells = [
        row["database"], row["request"], f"{row['asked']:,}", f"{row['median_us']:.0f} us", f"{result['auc']:.4f}",
        f"{result['t']:+.2f}", f"{control['auc']:.4f}", row["verdict"],
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"
