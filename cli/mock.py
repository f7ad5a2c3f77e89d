"""The command that serves the contract without a database: mock."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

import settings
from cli.options import AsJson
from cli.serve import Host, Port, server_options
from mock.options import MockOptions
from ops import output

group = typer.Typer()
Quota = Annotated[str, typer.Option(metavar="LIMIT", help="Rate limit of one key, such as 100/minute, or off.")]
Origins = Annotated[
    str | None,
    typer.Option(
        metavar="ORIGINS",
        help="Origins allowed by CORS, separated by spaces. Default: all. [MUSIC_STUDIO_CORS_ORIGINS]",
    ),
]
Data = Annotated[
    Path | None, typer.Option(metavar="FILE", help="YAML or JSON file with the data of the start. Default: the demo.")
]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of generated responses and of failures.")]
FailOneIn = Annotated[int, typer.Option(min=0, max=1_000_000, metavar="N", help="One of N requests fails; 0: none.")]


@group.command()
def mock(
    host: Host = None,
    port: Port = None,
    cors_origins: Origins = None,
    rate_limit: Quota = "off",
    data: Data = None,
    seed: Seed = 0,
    fail_one_in: FailOneIn = 0,
    as_json: AsJson = False,
) -> None:
    """Serve the contract without a database, for client developers.

    The mock does what the service does, on data in memory. An operation that has no code yet answers with the
    contract's example. The header `Prefer: code=503` asks for a documented response, `Prefer: example=NAME` for a
    named example of one, `Prefer: dynamic=true` for one that is generated from its schema, and `Prefer: delay=MS` for
    a delay of at most 10000 ms; with `Prefer: handling=strict` a preference that cannot be applied is an error. `POST
    /_mock/reset` returns to the data of the start.
    """
    chosen = settings.with_options(host=host, port=port, cors_origins=cors_origins, rate_limit=rate_limit)
    _serve(chosen, MockOptions(data, seed, fail_one_in), as_json=as_json)


def _serve(chosen: settings.Settings, options: MockOptions, *, as_json: bool) -> NoReturn:
    import app
    from mock.banner import facts, startup_lines
    from web.server import process, sockets
    from web.server.shutdown_deadline import end_process
    from web.telemetry import log_config, standard_streams

    application = app.create_mock(chosen, options)
    opened = sockets.listen(chosen.host, chosen.port)
    url = sockets.url(chosen.host, opened)
    standard_streams.replace()
    log_config.configure(chosen.log_format, chosen.log_level)
    # The reader of a pipe waits for this while the mock serves: both ways flush it.
    if as_json:
        output.show_json(facts(url, application.contents))
    else:
        output.echo(*startup_lines(url, application.contents))
    on_ready = partial(output.echo, f"The mock listens on {url}", err=True)
    end_process(process.serve(application, opened, server_options(chosen), on_ready, nullcontext()))
