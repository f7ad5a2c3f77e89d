"""What runs beside the requests of a server: its hourly maintenance, and the processes that make music."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import settings
from cli import workers
from ops import output

INTERVAL_SECONDS = 3600.0
# The first requests do not share the processor with the first maintenance.
DELAY_SECONDS = 10.0
# A context that returns what renews the processes in it.
Background = AbstractContextManager[Callable[[], None]]


def background(chosen: settings.Settings) -> Background:
    """Maintenance and workers inside the context. Raises CommandError for a file that a worker cannot use."""
    from web.periodic_thread import PeriodicThread

    hourly = PeriodicThread("maintenance", partial(_maintain, chosen), INTERVAL_SECONDS, DELAY_SECONDS)
    return _together(hourly, studio_workers(chosen))


def studio_workers(chosen: settings.Settings) -> Background:
    """The processes that make music beside the server. Raises CommandError for a file that they cannot use."""
    if not chosen.workers_studio:
        return nullcontext(_renew_nothing)
    if missing := workers.missing_package():
        text = f"No music is made here: the engines need the package {missing}. Install music-studio[studio]."
        output.echo(text, err=True)
        return nullcontext(_renew_nothing)
    workers.require_files(chosen)
    from worker.supervisor import Supervisor

    return Supervisor(workers.command_beside_a_server(), chosen.workers_studio)


def _maintain(chosen: settings.Settings) -> None:
    from ops import jobs, maintenance

    upkeep = maintenance.AudioOptions(settings.audio_url(chosen), chosen.audio_orphan_hours, chosen.audio_url_seconds)
    maintenance.maintain(chosen.database_url, upkeep)
    jobs.delete_old(chosen.database_url, chosen.generation_days)


@contextmanager
def _together(hourly: AbstractContextManager[None], workers: Background) -> Iterator[Callable[[], None]]:
    with hourly, workers as renew:
        yield renew


def _renew_nothing() -> None:
    """There is no worker."""
