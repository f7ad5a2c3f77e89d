"""The command that serves the contract without a database: mock."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import setting_parsers
import settings
from cli.options import AsJson
from cli.serve import Host, Port
from cli.serving import server_options
from mock.options import DEFAULTS, MockOptions
from ops import output
from ops.errors import CommandError

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

ProxiedServer = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Forward to this server and check its traffic, such as https://music.example."),
]


@group.command()
def mock(
    host: Host = None,
    port: Port = None,
    cors_origins: Origins = None,
    rate_limit: Quota = "off",
    data: Data = None,
    seed: Seed = 0,
    fail_one_in: FailOneIn = 0,
    proxy: ProxiedServer = None,
    as_json: AsJson = False,
) -> None:
    """Serve the contract without a database, for client developers.

    The mock does what the service does, on data in memory. An operation that has no code yet answers with the
    contract's example. The header `Prefer: code=503` asks for a documented response, `Prefer: example=NAME` for a
    named example of one, `Prefer: dynamic=true` for one that is generated from its schema, and `Prefer: delay=MS` for
    a delay of at most 10000 ms; with `Prefer: handling=strict` a preference that cannot be applied is an error. `POST
    /_mock/reset` returns to the data of the start.

    With --proxy there is no mock: requests go to a real server, and both ways are checked against the contract. Each
    violation is a line of the log and is named in the header `Contract-Violations` of its response; a report follows
    at the end. The exit status is then 1 if there was a violation.
    """
    chosen = settings.with_options(host=host, port=port, cors_origins=cors_origins, rate_limit=rate_limit)
    options = MockOptions(data, seed, fail_one_in)
    if proxy is None:
        _serve(chosen, options, as_json=as_json)
    if options != DEFAULTS or cors_origins is not None or rate_limit != "off":
        raise CommandError("A proxy changes no answer: of the other options it takes --host, --port and --json.")
    _forward(chosen, _server(proxy), as_json=as_json)


def _server(url: str) -> str:
    try:
        return setting_parsers.origin(url)
    except ValueError as expected:
        raise CommandError(f"--proxy must be {expected}.") from None


def _serve(chosen: settings.Settings, options: MockOptions, *, as_json: bool) -> NoReturn:
    import app
    from mock.banner import facts, startup_lines
    from web.server.shutdown_deadline import end_process

    def announce(url: str) -> None:
        # The reader of a pipe waits for this while the mock serves: both ways flush it.
        if as_json:
            output.show_json(facts(url, application.contents))
        else:
            output.echo(*startup_lines(url, application.contents))

    application = app.create_mock(chosen, options)
    end_process(_run(application, chosen, announce))


def _forward(chosen: settings.Settings, server: str, *, as_json: bool) -> NoReturn:
    import app
    from mock.proxy_report import OPERATION_COLUMNS, VIOLATION_COLUMNS
    from web.server.shutdown_deadline import end_process

    proxy = app.create_proxy(chosen, server)
    status = _run(proxy, chosen, lambda _url: output.echo(f"Requests go to {server}.", err=True))
    report = proxy.report
    if as_json:
        output.show_json(report.facts())
    else:
        output.show(OPERATION_COLUMNS, report.operations(), as_json)
        output.echo("")
        output.show(VIOLATION_COLUMNS, report.violations(), as_json)
    end_process(status or int(report.has_violations))


def _run(application: Any, chosen: settings.Settings, announce: Callable[[str], None]) -> int:
    """Serves until a signal; returns the exit status. `announce` is called with the URL before."""
    from web.server import process, sockets
    from web.telemetry import log_config, standard_streams

    opened = sockets.listen(chosen.host, chosen.port)
    url = sockets.url(chosen.host, opened)
    standard_streams.replace()
    log_config.configure(chosen.log_format, chosen.log_level)
    announce(url)
    on_ready = partial(output.echo, f"The mock listens on {url}", err=True)
    return process.serve(application, opened, server_options(chosen), on_ready, nullcontext())
