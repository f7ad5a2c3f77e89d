"""Runs the named endurance parts, or all, on both databases; fails when a figure misses its limit."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from rich.console import Console
from rich.progress import Progress

from models.db import migrate
from tools.endurance import (
    consistency,
    crash,
    floods,
    focus_session,
    growth,
    races,
    soak,
    studio_jobs,
    wire_fuzz,
    worker_kill,
)
from tools.endurance.flood_generators import KINDS
from tools.endurance.report import Figure, at_most, exactly, show
from tools.endurance.state_machine import Machine
from tools.testing import databases
from tools.testing.reference_model import modelled
from tools.testing.server_process import Running, fresh, running
from tools.testing.service import ROOT, Actors, Services

Part = Callable[[str, Path, Progress], Iterator[Figure]]
STOPS, BACK_SECONDS, GRACE_SECONDS = 10, 5.0, 20.0
RUNS, STEPS = 500, 50
HISTORY_SECONDS = 30.0
OPERATIONS = 10_000
SOAK_MINUTES = 10
FLOOD_MINUTES = 10


def race(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """Concurrent requests with one idempotency key or entity tag, and concurrent moves."""
    with fresh(kind, folder) as server:
        secret = server.key()
        for contest in progress.track((races.of_keys, races.of_versions, races.of_moves), description=f"{kind}: races"):
            yield from contest(server, secret, kind)


def sequences(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """Random sequences of all operations, compared with the responses of the reference model."""
    services = Services(folder)
    try:
        with modelled() as model:
            task = progress.add_task(f"{kind}: sequences", total=RUNS)
            runs = _run_sequences(services.actors(kind), model, lambda: progress.advance(task))
    finally:
        services.close()
    yield Figure(f"sequences of {STEPS} steps that match the model", kind, str(runs), f">= {RUNS}", True)


def _run_sequences(served: Actors, model: Actors, on_run: Callable[[], None]) -> int:
    runs = [0]

    class CountedMachine(Machine):
        actors, modelled = served, model

        def __init__(self) -> None:
            super().__init__()
            runs[0] += 1
            on_run()

    checks = list(HealthCheck)
    long = settings(max_examples=RUNS, stateful_step_count=STEPS, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(CountedMachine, settings=settings(long, database=None))
    return runs[0]


def crashes(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """SIGKILL and SIGTERM under load, with one worker and with two."""
    for workers in (1, 2):
        for what, stop in (("kill -9", crash.killed), ("SIGTERM", crash.terminated)):
            with fresh(kind, folder, workers) as server:
                label = f"{what} x {STOPS}, {workers} worker{'s'[: workers - 1]}"
                results = list(progress.track(_stops(server, stop), STOPS, description=f"{kind}: {label}"))
            yield from _stop_figures(f"{label}", kind, results)


def worker_kills(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """One of two workers killed under load, repeatedly."""
    with fresh(kind, folder, workers=2) as server:
        secret, label = server.key(), f"kill -9 of one of 2 workers x {STOPS}"
        results = [
            worker_kill.kill_one(server, secret) for _ in progress.track(range(STOPS), description=f"{kind}: {label}")
        ]
    connections, failed = (
        sum(len(result.connections) for result in results),
        sum(len(result.failed) for result in results),
    )
    elsewhere = sum(
        len(result.failed) - len(result.connections & {*result.failed}) + len(result.unexpected) for result in results
    )
    yield exactly(f"{label}: failed on other workers, of {failed}", kind, elsewhere, 0)
    yield at_most(f"{label}: failed, of {connections} connections of the killed worker", kind, failed, connections)
    yield at_most(f"{label}: slowest replacement", kind, max(result.replaced_seconds for result in results), 5.0, " s")


def _stops(server: Running, stop: Callable[[Running, str], crash.StopResult]) -> Iterator[crash.StopResult]:
    secret = server.key()
    for _ in range(STOPS):
        if server.process.poll() is not None:
            server.start()
        yield stop(server, secret)


def _stop_figures(label: str, kind: str, results: list[crash.StopResult]) -> Iterator[Figure]:
    acknowledged = sum(result.acknowledged for result in results)
    yield exactly(f"{label}: lost of {acknowledged}", kind, sum(result.lost for result in results), 0)
    for line in [line for result in results for line in result.broken if "SIGTERM" in label]:
        print(f"{label}, {kind}: {line}", file=sys.stderr)
    yield exactly(f"{label}: duplicated", kind, sum(result.duplicated for result in results), 0)
    yield exactly(f"{label}: other failures", kind, sum(len(result.unexpected) for result in results), 0)
    if "SIGTERM" in label:
        yield exactly(f"{label}: broken connections", kind, sum(len(result.broken) for result in results), 0)
        yield at_most(
            f"{label}: slowest stop", kind, max(result.stop_seconds for result in results), GRACE_SECONDS, " s"
        )
    else:
        yield at_most(
            f"{label}: slowest restart", kind, max(result.restart_seconds for result in results), BACK_SECONDS, " s"
        )


def histories(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """Consistency of appends, moves and reads while server and PostgreSQL are killed and paused."""
    if kind == "sqlite":
        with fresh(kind, folder) as server:
            yield from _history(kind, server, progress)
        return
    with databases.breakable_postgres() as postgres:
        migrate.upgrade(postgres.url)

        def restart() -> None:
            postgres.stop()
            postgres.start()

        def pause() -> None:
            postgres.freeze()
            time.sleep(1)
            postgres.thaw()

        with running(postgres.url, folder) as server:
            yield from _history(kind, server, progress, restart, pause, restart, pause)


def _history(kind: str, server: Running, progress: Progress, *more: Callable[[], None]) -> Iterator[Figure]:
    task, operations = progress.add_task(f"{kind}: history", total=OPERATIONS), 0
    while operations < OPERATIONS:
        chaos = consistency.Chaos(server, kills=3, pauses=3, more=more)
        found = consistency.record(server, server.key(), chaos, HISTORY_SECONDS)
        consistency.require_consistent(found)
        operations += found.operations
        progress.update(task, completed=operations)
    yield Figure("operations of one history through crashes", kind, str(operations), f">= {OPERATIONS}", True)


def grown(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """Response times with a thousand times as many collections."""
    for ratio in growth.ratios(kind, folder, progress):
        what = f"{ratio.operation}: {ratio.large_ms:.2f} ms over {ratio.small_ms:.2f} ms"
        yield at_most(what, kind, ratio.value, growth.MAX_RATIO)


def soaked(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """Half of the capacity of two workers, for ten minutes."""
    yield from soak.figures(kind, soak.soak(kind, folder, 2, SOAK_MINUTES, progress))


def flooded(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """All floods of strangers at once beside honest load, for ten minutes."""
    found = floods.measure(kind, folder, list(KINDS), FLOOD_MINUTES * 60, ROOT, progress)
    floods.show_floods(found, progress.console)
    yield from floods.figures(kind, found)


def wire_fuzzed(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """Mutated bytes for an hour, compared with h11; on SQLite. Its own command has --minutes and --seed."""
    if kind == "sqlite":
        seed = int(time.time())
        found, memory = wire_fuzz.run(folder, seed, wire_fuzz.MINUTES, progress)
        wire_fuzz.write(found, seed, wire_fuzz.REPORT)
        yield from wire_fuzz.figures(found, memory)


PARTS: dict[str, Part] = {
    "races": race, "sequences": sequences, "crashes": crashes, "worker_kills": worker_kills, "histories": histories,
    "growth": grown, "soak": soaked, "floods": flooded, "wire_fuzz": wire_fuzzed,
    "studio_kills": studio_jobs.kills, "studio_load": studio_jobs.load, "focus_session": focus_session.play,
}  # fmt: skip


def main(words: list[str]) -> int:
    """The exit status: 0 when every figure is within its limit."""
    if {"-h", "--help"} & set(words):
        listing = "".join(f"  {name:12} {part.__doc__}\n" for name, part in PARTS.items())
        print(f"usage: python -m tools.endurance [part ...] [{' | '.join(databases.KINDS)}]\n\n{listing}", end="")
        return 0
    kinds = [word for word in words if word in databases.KINDS] or list(databases.KINDS)
    parts = [word for word in words if word in PARTS] or list(PARTS)
    if unknown := set(words) - set(databases.KINDS) - set(PARTS):
        sys.exit(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join([*databases.KINDS, *PARTS])}.")
    console, figures = Console(), list[Figure]()
    with Progress(console=Console(stderr=True)) as progress, tempfile.TemporaryDirectory() as folder:
        for part in parts:
            for kind in kinds:
                figures += _measured(part, kind, Path(folder), progress)
    show(figures, console)
    return 0 if all(figure.kept for figure in figures) else 1


def _measured(part: str, kind: str, folder: Path, progress: Progress) -> list[Figure]:
    try:
        return list(PARTS[part](kind, folder, progress))
    except (AssertionError, ExceptionGroup) as broken:
        progress.console.print(f"{part} on {kind}: {broken}", markup=False)
        return [Figure(part, kind, str(broken)[:200], "no failure", False)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
