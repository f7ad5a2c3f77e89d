"""The command that makes music: work."""

import os
import sys
from pathlib import Path
from typing import Any

import typer

import settings
from cli.metrics import with_metrics
from cli.options import Database, version
from ops import output
from ops.errors import CommandError

group = typer.Typer()
# What a worker imports and a server does not need.
PACKAGES = ("numpy", "re2", "scipy", "soundfile")


@group.command()
def work(database_url: Database = None) -> None:
    """Make music until SIGTERM or Ctrl+C.

    Takes jobs from the queue. Any number of workers may run, on any machine that reaches the database and the audio
    store; each makes one piece at a time. `serve` and `up` start one beside the server. A worker that is stopped gives
    its job back.
    """
    chosen = settings.with_options(database_url=database_url)
    if missing := missing_package():
        raise CommandError(f"The engines need the package {missing}: install music-studio[studio].")
    chosen = chosen if chosen.metrics_dir else with_metrics(chosen)
    _prepare(chosen)
    output.echo("Music Studio makes music; it stops at Ctrl+C.", err=True)
    _run(chosen, None)


def missing_package() -> str | None:
    """The name of a package that the engines need and that is not installed."""
    from importlib.util import find_spec

    return next((name for name in PACKAGES if find_spec(name) is None), None)


def command_beside_a_server() -> list[str]:
    """The command line of a worker that ends with this process."""
    program = (
        f"import sys; sys.path.insert(0, {str(settings.ROOT)!r}); from cli import work; work.run_beside({os.getpid()})"
    )
    return [sys.executable, "-c", program]


def run_beside(parent: int) -> None:
    """A worker in a process of its own, with the settings of the environment, until `parent` ends."""
    import web.lazy_imports  # noqa: F401 - must precede every import of structlog
    from web.server.shutdown_deadline import end_process

    os.umask(0o077)
    chosen = settings.load()
    _prepare(chosen)
    _run(chosen, parent)
    end_process(0)


def require_files(chosen: settings.Settings) -> None:
    """Raises CommandError for a file that a worker cannot use; imports nothing that a server does not need."""
    if chosen.command_engines:
        _programs(chosen)
    if chosen.policy:
        _policy(chosen)


def _programs(chosen: settings.Settings) -> Any:
    from studio.engines.command_catalog import BadEngines
    from worker.program_file import ProgramFile

    try:
        return ProgramFile(Path(chosen.command_engines) if chosen.command_engines else None)
    except BadEngines as problem:
        raise CommandError(f"{problem}.") from None


def _policy(chosen: settings.Settings) -> Any:
    from worker.policy import BadPolicy
    from worker.policy_file import PolicyFile

    try:
        return PolicyFile(Path(chosen.policy) if chosen.policy else None)
    except BadPolicy as problem:
        raise CommandError(f"{problem}.") from None


def _options(chosen: settings.Settings) -> Any:
    from ops import database_setup
    from worker.process import Options

    home = database_setup.folder(chosen.database_url, settings.VAR)
    folder = Path(chosen.worker_dir) if chosen.worker_dir else home / "workers"
    return Options(folder, _programs(chosen), _policy(chosen), chosen.min_free_mib * 2**20, _tracing(chosen))


def _tracing(chosen: settings.Settings) -> Any:
    from worker.tracing import JobTracing, NoTracing

    return JobTracing(chosen.otlp_endpoint, version()) if chosen.otlp_endpoint else NoTracing()


def _prepare(chosen: settings.Settings) -> None:
    from web.telemetry import log_config, standard_streams

    standard_streams.replace()
    log_config.configure(chosen.log_format, chosen.log_level)


def _run(chosen: settings.Settings, parent: int | None) -> None:
    from ops import audio, database_setup
    from worker import process

    own = _options(chosen)
    with database_setup.open_database(chosen.database_url, prepared_statements=chosen.prepared_statements) as database:
        store = audio.open_store(settings.audio_url(chosen))
        process.run(database, store, own, parent=parent, metrics_dir=chosen.metrics_dir)
