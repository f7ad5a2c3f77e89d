"""Mutation test of the contract: `make mutants` fails for a mutant that no check notices, unless it has a reason."""

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
JOBS = 2
# Operators whose mutants may survive, because the difference harms no client.
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
    """The check that killed a mutant and its output, or the reason why the mutant may survive."""

    mutant: Mutant
    killer: str
    output: str

    @property
    def unexplained(self) -> bool:
        return not self.killer and not self.output


def run_checks(found: list[Mutant], checks: tuple[Check, ...], progress: Progress) -> list[MutantResult]:
    """The result of each mutant; each check runs only on the mutants that the faster checks did not kill.

    Raises RuntimeError if a check fails for the unchanged contract.
    """
    results: list[MutantResult] = []
    with tempfile.TemporaryDirectory(prefix="music-studio-mutants-") as root, ThreadPoolExecutor(JOBS) as pool:
        unchanged = checkout_with(Path(root) / "unchanged", contract.load())
        survivors = {
            mutant: checkout_with(Path(root) / f"{number:03}", mutant.document) for number, mutant in enumerate(found)
        }
        for check in checks:
            folders = [unchanged, *survivors.values()]
            task = progress.add_task(check.name, total=len(folders))
            error, *outputs = pool.map(partial(_run_check, check, progress, task), folders)
            if error:
                raise RuntimeError(f"{check.name} fails for the unchanged contract:\n{error}")
            killed = {mutant: output for mutant, output in zip(survivors, outputs, strict=True) if output}
            results += [MutantResult(mutant, check.name, output) for mutant, output in killed.items()]
            survivors = {mutant: folder for mutant, folder in survivors.items() if mutant not in killed}
    return results + [MutantResult(mutant, "", _reason(mutant)) for mutant in survivors]


def _reason(mutant: Mutant) -> str:
    """The reason why a mutant may survive: one for its operator, or for its operator at this place."""
    return REASONS.get(mutant.operator) or REASONS.get(f"{mutant.operator}: {mutant.place}", "")


def _run_check(check: Check, progress: Progress, task: TaskID, folder: Path) -> str:
    output = check.run(folder)
    progress.advance(task)
    return output


def report(results: list[MutantResult]) -> Iterator[str]:
    """The lines of the report in Markdown."""
    killed = Counter(result.killer for result in results if result.killer)
    yield "# Mutants of the contract\n"
    yield f"{len(results)} mutants, {killed.total()} killed, {len(results) - killed.total()} survived.\n"
    yield "| killed by | mutants |\n| --- | ---: |"
    yield from (f"| {name} | {number} |" for name, number in killed.items())
    yield "\n| mutant | place | killed by | output |\n| --- | --- | --- | --- |"
    for result in sorted(results, key=lambda result: (result.killer != "", result.mutant.operator)):
        last = _cell(result.output or "**survived without a reason**")
        yield f"| {result.mutant.operator} | `{result.mutant.place}` | {result.killer or 'none'} | {last} |"


def _cell(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines)[:160].replace("|", r"\|")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--each", type=int, default=PER_OPERATOR, help="places to try for each operator")
    parser.add_argument("--only", default="", help="only operators with this text in their name")
    options = parser.parse_args()
    found = [mutant for mutant in mutants(contract.load(), options.each) if options.only in mutant.operator]
    columns = (TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        results = run_checks(found, CHECKS, progress)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text("\n".join(report(results)) + "\n", encoding="utf-8")
    REPORT.with_suffix(".json").write_text(json.dumps(list(map(_plain, results)), indent=2), encoding="utf-8")
    unexplained = [result for result in results if result.unexplained]
    killed = sum(bool(result.killer) for result in results)
    print(f"{len(results)} mutants, {killed} killed; see {REPORT.relative_to(ROOT)}.")
    for result in unexplained:
        print(f"survived: {result.mutant.title}. Write a test that notices it, or give a reason in mutation.py.")
    return 1 if unexplained else 0


def _plain(result: MutantResult) -> dict[str, str]:
    mutant = result.mutant
    return {"operator": mutant.operator, "place": mutant.place, "killer": result.killer, "output": result.output}


if __name__ == "__main__":
    sys.exit(main())
