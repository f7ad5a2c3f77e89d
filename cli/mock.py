"""The command that serves the contract without a database: mock."""

from contextlib import nullcontext
from functools import partial
from typing import Annotated, NoReturn

import typer

import settings
from cli.options import AsJson
from cli.serve import Host, Port, server_options
from ops import output

group = typer.Typer()
Quota = Annotated[str, typer.Option(metavar="LIMIT", help="Rate limit of one key, such as 100/minute, or off.")]


@group.command()
def mock(host: Host = None, port: Port = None, rate_limit: Quota = "off", as_json: AsJson = False) -> None:
    """Serve the contract without a database, for client developers.

    The mock does what the service does, on the demo data in memory. An operation that has no code yet answers with the
    contract's example. The header `Prefer: code=503` asks for a documented response, `Prefer: example=NAME` for a
    named example of one, and `Prefer: delay=MS` for a delay of at most 10000 ms.
    """
    _serve(settings.with_options(host=host, port=port, rate_limit=rate_limit), as_json=as_json)


def _serve(chosen: settings.Settings, *, as_json: bool) -> NoReturn:
    import app
    from mock.banner import facts, startup_lines
    from web.server import process, sockets
    from web.server.shutdown_deadline import end_process
    from web.telemetry import standard_streams

    opened = sockets.listen(chosen.host, chosen.port)
    url = sockets.url(chosen.host, opened)
    standard_streams.replace()
    application = app.mock_from_environment()
    # The reader of a pipe waits for this while the mock serves: both ways flush it.
    if as_json:
        output.show_json(facts(url))
    else:
        output.echo(*startup_lines(url))
    on_ready = partial(output.echo, f"The mock listens on {url}", err=True)
    end_process(process.serve(application, opened, server_options(chosen), on_ready, nullcontext()))
