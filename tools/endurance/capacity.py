"""Size of a large installation on paper, from the measured bytes per row: `python -m tools.endurance.capacity`.

The bytes are those of the table in docs/operating.md, or of a file that `tools.endurance.row_sizes --json` has written.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"
ROW = re.compile(r"^\| `(\w+)`[^|]*\| (\d+) \| (\d+) \|$", re.MULTILINE)
MILLION, GB = 10**6, 10**9
# Tables and how many million rows each has, with ten tracks in each of a hundred million collections.
COLLECTIONS = {
    ("collections",): 100, ("collection_tracks",): 1000, ("tracks",): 100, ("memberships", "api_keys"): 1,
    ("idempotency_keys",): 1,
}  # fmt: skip
SPARE, NODES = 1.25, 8
MEMBERS, TRACKS, MINUTES, MB_PER_MINUTE = 1000, 1, 3, 1
# These are copied to every node of a cluster.
COPIED = ("memberships", "api_keys")


def read_sizes(document: str) -> dict[str, int]:
    """Bytes of a row and of its entries in indexes, by table."""
    return {name: int(row) + int(indexes) for name, row, indexes in ROW.findall(document)}


def lines(sizes: Mapping[str, int]) -> Iterator[str]:
    """The figures of docs/operating.md, one per line, in its words."""
    total = 0.0
    for tables, millions in COLLECTIONS.items():
        size = sum(sizes[table] for table in tables)
        amount = millions * MILLION * size / GB
        total += amount
        yield f"{millions:,} M x {size} B = {_gb(amount)}"
    yield f"| total | | {total:.0f} |"
    yield f"| with a quarter for dead rows and free space | | {total * SPARE:.0f} |"
    node = total * SPARE / NODES
    yield f"each holds {node:.0f} GB"
    for table in COPIED:
        yield f"{MEMBERS:,} M x {sizes[table]} B = {MEMBERS * MILLION * sizes[table] / GB:.0f} GB"
    yield f"{TRACKS * MINUTES} M minutes x {MB_PER_MINUTE} MB = {TRACKS * MINUTES * MB_PER_MINUTE} TB"
    both = sum(sizes[table] for table in COPIED)
    yield f"Up to {_tens(node * GB / both)} million members with a key each"
    yield f"or {_tens(node * GB / sizes['memberships'])} million with tokens"


def _gb(amount: float) -> str:
    return f"{amount:.0f}" if amount >= 1 else f"{amount:.1f}"


def _tens(members: float) -> str:
    return f"{members / MILLION // 10 * 10:.0f}"


def main(words: list[str]) -> int:
    """Prints the figures."""
    ask = argparse.ArgumentParser(prog="python -m tools.endurance.capacity", description=__doc__)
    ask.add_argument("--sizes", type=Path, help="JSON of tools.endurance.row_sizes (default: docs/operating.md)")
    chosen = ask.parse_args(words)
    sizes = read_sizes(DOCUMENT.read_text(encoding="utf-8"))
    if chosen.sizes:
        found = json.loads(chosen.sizes.read_text(encoding="utf-8"))
        sizes = {size["table"]: round(size["row"]) + round(size["indexes"]) for size in found}
    print("\n".join(lines(sizes)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
