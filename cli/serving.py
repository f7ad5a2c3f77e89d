"""Serving the API, by the commands `serve` and `up`."""

import gc
from contextlib import ExitStack
from functools import partial
from socket import socket
from typing import Any, NoReturn

import settings
from cli.metrics import with_metrics
from cli.opening import add_demo_audio, demo_file, opened_database
from ops import output


def serve(chosen: settings.Settings, *, prepare: bool, as_json: bool) -> NoReturn:
    """Serves until a signal; `prepare` migrates the database before, and loads the demo data."""
    from web.server import sockets

    gc.disable()  # a start makes many objects and no garbage; process.tune_gc enables it
    opened = sockets.listen(chosen.host, chosen.port)
    with ExitStack() as closing:
        for one in opened:
            closing.callback(one.close)
        _run(chosen, opened, prepare=prepare, as_json=as_json)


def _run(chosen: settings.Settings, opened: list[socket], *, prepare: bool, as_json: bool) -> NoReturn:
    import web.lazy_imports  # noqa: F401 - must precede every import of Connexion or structlog
    from cli.background import background
    from ops import audio, banner, database_setup
    from web.server import process, sockets
    from web.server.shutdown_deadline import end_process
    from web.telemetry import log_config, standard_streams

    url = sockets.url(chosen.host, opened)
    if prepare:
        database_setup.migrate_database(chosen.database_url)
    else:
        database_setup.require_usable(chosen.database_url, prepared_statements=chosen.prepared_statements)
    audio.open_store(settings.audio_url(chosen)).require_writable()
    pepper = settings.pepper(chosen)  # made here, not by several workers at the same time
    chosen = with_metrics(chosen)
    facts = banner.facts(url, _metrics_url(chosen))
    if prepare:
        facts["demo"] = _add_demo(chosen, pepper)
    standard_streams.replace()
    log_config.configure(chosen.log_format, chosen.log_level)
    # Only once the server serves: a contract that it refuses is not announced.
    on_ready = partial(_announce, facts, prepare=prepare, as_json=as_json)
    beside = background(chosen)
    if chosen.workers > 1:
        from web.server import supervisor

        process.tune_gc()
        end_process(supervisor.supervise(opened, chosen.workers, server_options(chosen), on_ready, beside))
    import app

    end_process(process.serve(app.from_environment(), opened, server_options(chosen), on_ready, beside))


def _add_demo(chosen: settings.Settings, pepper: bytes) -> dict[str, Any] | None:
    """Loads the demo into an empty database; returns its keys, None for a database with other data."""
    from ops import banner

    with opened_database(chosen):
        keys = banner.demo_facts(demo_file(chosen), pepper)
        if keys:
            add_demo_audio(chosen)
        return keys


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
    output.echo(f"Music Studio listens on {facts['url']}", err=True)


def _metrics_url(chosen: settings.Settings) -> str | None:
    return f"http://{chosen.metrics_host}:{chosen.metrics_port}/metrics" if chosen.metrics_port else None
