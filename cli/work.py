"""The command that makes music: work."""

import typer

import settings
from cli import workers
from cli.metrics import with_metrics
from cli.options import Database
from ops import output
from ops.errors import CommandError

group = typer.Typer()


@group.command()
def work(database_url: Database = None) -> None:
    """Make music until SIGTERM or Ctrl+C.

    Takes jobs from the queue. Any number of workers may run, on any machine that reaches the database and the audio
    store; each makes one piece at a time. `serve` and `up` start one beside the server. A worker that is stopped gives
    its job back.
    """
    chosen = settings.with_options(database_url=database_url)
    if missing := workers.missing_package():
        raise CommandError(f"The engines need the package {missing}: install music-studio[studio].")
    chosen = chosen if chosen.metrics_dir else with_metrics(chosen)
    workers.prepare(chosen)
    output.echo("Music Studio makes music; it stops at Ctrl+C.", err=True)
    workers.run(chosen, None)
