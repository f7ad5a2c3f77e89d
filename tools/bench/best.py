"""Best variant of each peer: the fastest of FastAPI's variants stands for FastAPI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tools.bench.targets import BY_NAME, OURS
from tools.bench.workloads import BY_NAME as WORKLOAD

SHOWN = ("get", "list", "post", "patch")
# These variants differ in what they validate, not in how well they are written.
SEPARATE = "ogen"
TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
# Requests per second by database, workload and peer.
Rates = Mapping[tuple[str, str, str], float]


def variants(rates: Mapping[str, float]) -> list[str]:
    """The peers with a rate, without the slower variants of the same framework."""
    fastest: dict[str, str] = {}
    for peer in sorted(rates, key=lambda name: rates[name]):
        home = BY_NAME[peer].home
        fastest[peer if home == SEPARATE else home] = peer
    return [peer for peer in rates if peer in fastest.values()]


def table(rates: Rates, kinds: Sequence[str]) -> str:
    """A Markdown table: each framework by its best variant in each column, PostgreSQL beside SQLite."""
    columns = [(kind, name) for name in SHOWN for kind in kinds if any(key[:2] == (kind, name) for key in rates)]
    if not columns:
        return ""
    titles = [f"{WORKLOAD[name].title}, {TITLES[kind]}" for kind, name in columns]
    lines = ["Requests per second of the best variant of each:\n", "| | " + " | ".join(titles) + " |"]
    return "\n".join([*lines, "| --- |" + " --- |" * len(columns), *_rows(rates, columns)]) + "\n"


def _rows(rates: Rates, columns: Sequence[tuple[str, str]]) -> Iterator[str]:
    best = [{_framework(peer): rate for peer, rate in _of(rates, *column)} for column in columns]
    for framework in dict.fromkeys(name for column in best for name in column):
        cells = [f"{column[framework]:,.0f}" if framework in column else "-" for column in best]
        title = f"**{framework}**" if framework == BY_NAME[OURS].label else framework
        yield f"| {title} | " + " | ".join(cells) + " |"


def _of(rates: Rates, kind: str, workload: str) -> Iterator[tuple[str, float]]:
    column = {peer: rate for (database, name, peer), rate in rates.items() if (database, name) == (kind, workload)}
    return ((peer, column[peer]) for peer in variants(column))


def _framework(peer: str) -> str:
    """The label without the part that names the variant."""
    label, home = BY_NAME[peer].label, BY_NAME[peer].home
    return label if home == SEPARATE else label.partition(",")[0]
