"""The commands that serve, and the one that asks a server how it is: serve, up and health."""

from functools import partial
from typing import Annotated, NoReturn

import typer

import settings
from cli.options import LOOK, Database, demo_file
from ops.errors import CommandError

group = typer.Typer(**LOOK)

Host = Annotated[str | None, typer.Option(metavar="ADDRESS", help="To listen on; else MUSIC_STUDIO_HOST.")]
Port = Annotated[int | None, typer.Option(metavar="N", help="0 takes a free one; else MUSIC_STUDIO_PORT.")]
Workers = Annotated[int | None, typer.Option(metavar="N", help="Processes; else MUSIC_STUDIO_WORKERS.")]


@group.command()
def serve(host: Host = None, port: Port = None, workers: Workers = None, database_url: Database = None) -> None:
    """Serve the API until it is stopped."""
    _serve(settings.typed(host=host, port=port, workers=workers, database_url=database_url), prepare=False)


@group.command()
def up(host: Host = None, port: Port = None, workers: Workers = None, database_url: Database = None) -> None:
    """Migrate, load the demo, say how to try it, serve.

    The demo goes into an empty database only; one with other data is served as it is.
    """
    _serve(settings.typed(host=host, port=port, workers=workers, database_url=database_url), prepare=True)


def _measured(chosen: settings.Settings) -> settings.Settings:
    """The settings of workers whose metrics are answered by this process, if they are wanted."""
    if not chosen.metrics_port:
        return chosen
    from web.telemetry import metrics_exporter

    try:
        folder = metrics_exporter.serve(chosen.metrics_host, chosen.metrics_port)
    except OSError as problem:
        place = f"port {chosen.metrics_port} of {chosen.metrics_host}"
        raise CommandError(f"The metrics cannot be told on {place}: {problem.strerror}.") from None
    typer.echo(f"Metrics are at http://{chosen.metrics_host}:{chosen.metrics_port}/metrics", err=True)
    return settings.typed(metrics_dir=folder)


@group.command()
def health(
    host: Host = None,
    port: Port = None,
    ready: Annotated[bool, typer.Option("--ready", help="Ask for the database too.")] = False,
) -> None:
    """Ask the server of this machine whether it answers; the exit status is 0 or 1."""
    from ops import healthcheck as asking

    chosen = settings.typed(host=host, port=port)
    asking.demand(chosen.host, chosen.port, ready=ready)


def _serve(chosen: settings.Settings, *, prepare: bool) -> NoReturn:
    from ops import banner, database_setup, maintenance
    from web.server import process, sockets

    opened = sockets.listen(chosen.host, chosen.port)
    url = sockets.url(chosen.host, opened)
    if prepare:
        database_setup.migrate_database(chosen.database_url)
    with database_setup.open_database(chosen.database_url, prepared_statements=chosen.prepared_statements):
        pepper = settings.pepper(chosen)  # made here, not by several workers at the same time
        if prepare:
            typer.echo("\n".join(banner.startup_lines(url, demo_file(chosen), pepper)))
    chosen = _measured(chosen)
    on_ready = partial(typer.echo, f"Music Studio listens on {url}", err=True)
    hourly = maintenance.hourly(chosen.database_url)
    if chosen.workers > 1:
        raise typer.Exit(process.supervise(opened, chosen.workers, server_options(chosen), on_ready, hourly))
    import app

    raise typer.Exit(process.serve(app.from_environment(), opened, server_options(chosen), on_ready, hourly))


def server_options(chosen: settings.Settings) -> dict[str, int]:
    """The timeouts of the HTTP server, in seconds."""
    return {
        "header_timeout": chosen.header_timeout_seconds,
        "write_timeout": chosen.write_timeout_seconds,
        "timeout_keep_alive": chosen.keep_alive_timeout_seconds,
        "timeout_graceful_shutdown": chosen.shutdown_timeout_seconds,
    }
