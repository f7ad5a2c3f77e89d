"""The processes that make music: those of `work`, and those beside a server."""

import os
import sys
from pathlib import Path
from typing import Any

import settings
from cli.program import UMASK
from cli.version import version
from ops.errors import CommandError

# What a worker imports and a server does not need.
PACKAGES = ("numpy", "re2", "scipy", "soundfile")


def missing_package() -> str | None:
    """The name of a package that the engines need and that is not installed."""
    from importlib.util import find_spec

    return next((name for name in PACKAGES if find_spec(name) is None), None)


def command_beside_a_server() -> list[str]:
    """The command line of a worker that ends with this process."""
    found = f"import sys; sys.path.insert(0, {str(settings.ROOT)!r})"
    program = f"{found}; from cli import workers; workers.run_beside({os.getpid()})"
    return [sys.executable, "-c", program]


def run_beside(parent: int) -> None:
    """A worker in a process of its own, with the settings of the environment, until `parent` ends."""
    import web.lazy_imports  # noqa: F401 - must precede every import of structlog
    from web.server.shutdown_deadline import end_process

    os.umask(UMASK)
    chosen = settings.load()
    prepare(chosen)
    run(chosen, parent)
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


def prepare(chosen: settings.Settings) -> None:
    """Sets the output and the log of this process."""
    from web.telemetry import log_config, standard_streams

    standard_streams.replace()
    log_config.configure(chosen.log_format, chosen.log_level)


def run(chosen: settings.Settings, parent: int | None) -> None:
    """Makes music until a signal, or until the process `parent` ends."""
    from ops import audio, database_setup
    from worker import process

    own = _options(chosen)
    with database_setup.open_database(chosen.database_url, prepared_statements=chosen.prepared_statements) as database:
        store = audio.open_store(settings.audio_url(chosen))
        process.run(database, store, own, parent=parent, metrics_dir=chosen.metrics_dir)
