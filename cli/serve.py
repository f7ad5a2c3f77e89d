"""The commands that run and check a server: up, serve and health."""

from contextlib import ExitStack
from functools import partial
from socket import socket
from typing import Annotated, Any, NoReturn

import typer

import settings
from cli.options import AsJson, Database, add_demo_audio, demo_file, opened_database
from ops import output
from ops.errors import CommandError

group = typer.Typer()

Host = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address of the server. [MUSIC_STUDIO_HOST]")]
Port = Annotated[
    int | None, typer.Option(metavar="N", help="Port of the server; 0 takes a free port. [MUSIC_STUDIO_PORT]")
]
Workers = Annotated[int | None, typer.Option(metavar="N", help="Number of worker processes. [MUSIC_STUDIO_WORKERS]")]


@group.command()
def up(
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Migrate the database, load the demo data and serve.

    The demo data goes into an empty database only; a database with other data is served unchanged.
    """
    chosen = settings.with_options(host=host, port=port, workers=workers, database_url=database_url)
    _serve(chosen, prepare=True, as_json=as_json)


@group.command()
def serve(
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Serve the API until SIGTERM or Ctrl+C."""
    chosen = settings.with_options(host=host, port=port, workers=workers, database_url=database_url)
    _serve(chosen, prepare=False, as_json=as_json)


@group.command()
def health(
    host: Host = None,
    port: Port = None,
    ready: Annotated[bool, typer.Option("--ready", help="Check the database of the server too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check the server on this machine.

    The exit status is 0 if the server is healthy, and 1 otherwise.
    """
    from ops import healthcheck

    chosen = settings.with_options(host=host, port=port)
    facts = healthcheck.check(chosen.host, chosen.port, ready=ready)
    if as_json:
        output.show_json(facts)
    else:
        output.echo(f"The server on {chosen.host} port {chosen.port} is {'ready' if ready else 'alive'}.")


def _serve(chosen: settings.Settings, *, prepare: bool, as_json: bool) -> NoReturn:
    from web.server import sockets

    opened = sockets.listen(chosen.host, chosen.port)
    with ExitStack() as closing:
        for one in opened:
            closing.callback(one.close)
        _run(chosen, opened, prepare=prepare, as_json=as_json)


def _run(chosen: settings.Settings, opened: list[socket], *, prepare: bool, as_json: bool) -> NoReturn:
    import web.lazy_imports  # noqa: F401 - must precede every import of Connexion or structlog
    from ops import audio, banner, database_setup, maintenance
    from web.periodic_thread import PeriodicThread
    from web.server import process, sockets, supervisor
    from web.server.shutdown_deadline import end_process
    from web.telemetry import log_config, standard_streams

    url = sockets.url(chosen.host, opened)
    if prepare:
        database_setup.migrate_database(chosen.database_url)
    with opened_database(chosen):
        audio.open_store(settings.audio_url(chosen)).require_writable()
        pepper = settings.pepper(chosen)  # made here, not by several workers at the same time
        chosen = _with_metrics(chosen)
        facts = banner.facts(url, _metrics_url(chosen))
        if prepare:
            facts["demo"] = banner.demo_facts(demo_file(chosen), pepper)
            if facts["demo"]:
                add_demo_audio(chosen)
    standard_streams.replace()
    log_config.configure(chosen.log_format, chosen.log_level)
    on_ready = partial(output.echo, f"Music Studio listens on {url}", err=True)
    upkeep = maintenance.AudioOptions(settings.audio_url(chosen), chosen.audio_orphan_hours, chosen.audio_url_seconds)
    maintain = partial(maintenance.maintain, chosen.database_url, upkeep)
    hourly = PeriodicThread("maintenance", maintain, maintenance.INTERVAL_SECONDS)
    if chosen.workers > 1:
        _announce(facts, prepare=prepare, as_json=as_json)
        end_process(supervisor.supervise(opened, chosen.workers, server_options(chosen), on_ready, hourly))
    import app

    application = app.from_environment()  # before the announcement: a contract that is refused is not announced
    _announce(facts, prepare=prepare, as_json=as_json)
    end_process(process.serve(application, opened, server_options(chosen), on_ready, hourly))


def server_options(chosen: settings.Settings) -> dict[str, int]:
    """The timeouts of the HTTP server, in seconds."""
    return {
        "header_timeout": chosen.header_timeout_seconds,
        "write_timeout": chosen.write_timeout_seconds,
        "timeout_keep_alive": chosen.keep_alive_timeout_seconds,
        "timeout_graceful_shutdown": chosen.shutdown_timeout_seconds,
    }


def _announce(facts: dict[str, Any], *, prepare: bool, as_json: bool) -> None:
    from ops import banner

    if as_json:
        output.show_json(facts)
    elif prepare:
        output.echo(*banner.startup_lines(facts))
    if facts["metrics_url"]:
        output.echo(f"Metrics are at {facts['metrics_url']}", err=True)


def _metrics_url(chosen: settings.Settings) -> str | None:
    return f"http://{chosen.metrics_host}:{chosen.metrics_port}/metrics" if chosen.metrics_port else None


def _with_metrics(chosen: settings.Settings) -> settings.Settings:
    """The settings of workers whose metrics this process serves, if metrics are wanted."""
    if not chosen.metrics_port:
        return chosen
    from web.telemetry import metrics_exporter

    try:
        folder = metrics_exporter.serve(chosen.metrics_host, chosen.metrics_port)
    except OSError as problem:
        place, reason = f"{chosen.metrics_host}:{chosen.metrics_port}", (problem.strerror or str(problem)).lower()
        raise CommandError(
            f"Cannot serve metrics on {place}: {reason}. Choose another MUSIC_STUDIO_METRICS_PORT."
        ) from None
    return settings.with_options(metrics_dir=folder)
