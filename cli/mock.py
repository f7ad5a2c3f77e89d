"""The command that serves the contract without a database: mock."""

import json
from contextlib import nullcontext
from functools import partial
from typing import Annotated, NoReturn

import typer

import settings
from cli.options import LOOK, AsJson
from cli.serve import Host, Port, server_options

group = typer.Typer(**LOOK)
Quota = Annotated[str, typer.Option(metavar="QUOTA", help="Of one key, such as 100/minute, or off.")]


@group.command()
def mock(host: Host = None, port: Port = None, rate_limit: Quota = "off", as_json: AsJson = False) -> None:
    """Serve the contract without a database, for those who write clients.

    It does what the service does, on the demo's data, in memory. An operation that is in the contract and not written
    yet answers with its example. `Prefer: code=503` asks for a documented answer, `Prefer: example=NAME` for a certain
    one of them, and `Prefer: delay=MS` for a slow one, of 10000 ms at most.
    """
    _serve(settings.typed(host=host, port=port, rate_limit=rate_limit), as_json=as_json)


def _serve(chosen: settings.Settings, *, as_json: bool) -> NoReturn:
    import app
    from mock.banner import facts, lines
    from web.server import process, sockets

    opened = sockets.listen(chosen.host, chosen.port)
    url = sockets.url(chosen.host, opened)
    application = app.mock_from_environment()
    # Whoever reads this through a pipe waits for it while the mock serves, so it must leave at once.
    typer.echo(json.dumps(facts(url), indent=2) if as_json else "\n".join(lines(url)))
    on_ready = partial(typer.echo, f"The mock listens on {url}", err=True)
    raise typer.Exit(process.serve(application, opened, server_options(chosen), on_ready, nullcontext()))
