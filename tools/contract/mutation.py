"""Mutants of the contract and what kills them: `make mutants` fails for one that lives on without a reason."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from settings import ROOT
from tools.contract.mutant_checks import CHECKS, Check, checkout_with
from tools.contract.mutation_operators import PER_OPERATOR, Mutant, mutants
from web.contract import document as contract

REPORT = ROOT / "dist" / "mutants.md"
AT_ONCE = 2
# Operators whose mutants may live, because no client can be hurt by the difference.
REASONS = {
    "a related operation is dropped": "it is a hint for readers, and which ones to give is a matter of taste",
    "an example says something else": "system_message is for a developer's eyes, and its words are not promised",
    "a description is dropped": "the style guide demands the descriptions that the reference shows; this is another",
    "a minLength is dropped: /components/parameters/IdempotencyKey/schema": "the pattern demands a character too",
    "uniqueItems is dropped: /components/schemas/CollectionOrder/properties/ordered_track_ids": (
        "models/collection_tracks.py refuses a repeated track in the same words"
    ),
}


class MutantResult(NamedTuple):
    """What became of a mutant: the check that killed it and what that said, or the reason for letting it live."""

    mutant: Mutant
    killer: str
    said: str

    @property
    def unexplained(self) -> bool:
        return not self.killer and not self.said


def run_checks(found: list[Mutant], checks: tuple[Check, ...], progress: Progress) -> list[MutantResult]:
    """The fate of each mutant; every check sees only those that lived through the cheaper ones.

    Raises RuntimeError when a check is red for the unchanged contract too: then it would prove nothing.
    """
    fates: list[MutantResult] = []
    with tempfile.TemporaryDirectory(prefix="music-studio-mutants-") as place, ThreadPoolExecutor(AT_ONCE) as pool:
        unchanged = checkout_with(Path(place) / "unchanged", contract.load())
        alive = {
            mutant: checkout_with(Path(place) / f"{number:03}", mutant.document) for number, mutant in enumerate(found)
        }
        for check in checks:
            folders = [unchanged, *alive.values()]
            task = progress.add_task(check.name, total=len(folders))
            health, *said = pool.map(partial(_asked, check, progress, task), folders)
            if health:
                raise RuntimeError(f"{check.name} is red without any mutation, so it can prove nothing:\n{health}")
            dead = {mutant: words for mutant, words in zip(alive, said, strict=True) if words}
            fates += [MutantResult(mutant, check.name, words) for mutant, words in dead.items()]
            alive = {mutant: folder for mutant, folder in alive.items() if mutant not in dead}
    return fates + [MutantResult(mutant, "", _reason(mutant)) for mutant in alive]


def _reason(mutant: Mutant) -> str:
    """Why a mutant may live: for what was done to it, wherever, or for that in its place alone."""
    return REASONS.get(mutant.operator) or REASONS.get(f"{mutant.operator}: {mutant.place}", "")


def _asked(check: Check, progress: Progress, task: TaskID, folder: Path) -> str:
    said = check.says(folder)
    progress.advance(task)
    return said


def report(fates: list[MutantResult]) -> Iterator[str]:
    """The table, as Markdown."""
    dead = Counter(fate.killer for fate in fates if fate.killer)
    yield "# Mutants of the contract\n"
    yield f"{len(fates)} mutants, {dead.total()} killed, {len(fates) - dead.total()} alive.\n"
    yield "| killed by | mutants |\n| --- | ---: |"
    yield from (f"| {name} | {number} |" for name, number in dead.items())
    yield "\n| mutant | place | killed by | which says |\n| --- | --- | --- | --- |"
    for fate in sorted(fates, key=lambda fate: (fate.killer != "", fate.mutant.operator)):
        last = _cell(fate.said or "**nobody, and without a reason**")
        yield f"| {fate.mutant.operator} | `{fate.mutant.place}` | {fate.killer or 'nobody'} | {last} |"


def _cell(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines)[:160].replace("|", r"\|")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--each", type=int, default=PER_OPERATOR, help="places to try for each operator")
    parser.add_argument("--only", default="", help="only operators with this text in their name")
    given = parser.parse_args()
    found = [mutant for mutant in mutants(contract.load(), given.each) if given.only in mutant.operator]
    columns = (TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        fates = run_checks(found, CHECKS, progress)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text("\n".join(report(fates)) + "\n", encoding="utf-8")
    REPORT.with_suffix(".json").write_text(json.dumps([_plain(fate) for fate in fates], indent=2), encoding="utf-8")
    left = [fate for fate in fates if fate.unexplained]
    print(f"{len(fates)} mutants, {sum(bool(fate.killer) for fate in fates)} killed; see {REPORT.relative_to(ROOT)}.")
    for fate in left:
        print(f"alive: {fate.mutant.title}. Write a test that notices it, or say in mutation.py why it may live.")
    return 1 if left else 0


def _plain(fate: MutantResult) -> dict[str, str]:
    return {"operator": fate.mutant.operator, "place": fate.mutant.place, "killer": fate.killer, "said": fate.said}


if __name__ == "__main__":
    sys.exit(main())
