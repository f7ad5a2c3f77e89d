"""The commands that run and check a server: up, serve and health."""

from typing import Annotated

import typer

import settings
from cli import serving
from cli.options import AsJson, Database
from ops import output

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
    serving.serve(chosen, prepare=True, as_json=as_json)


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
    serving.serve(chosen, prepare=False, as_json=as_json)


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
