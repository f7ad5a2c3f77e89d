"""Serving the metrics of the processes that a command starts."""

from functools import partial

import settings
from ops.errors import CommandError


def with_metrics(chosen: settings.Settings) -> settings.Settings:
    """The settings of processes whose metrics this one serves, if metrics are wanted. Raises CommandError."""
    if not chosen.metrics_port:
        return chosen
    from ops import jobs
    from web.telemetry import metrics_exporter

    read_queues = partial(jobs.queue_states, chosen.database_url)
    try:
        folder = metrics_exporter.serve(chosen.metrics_host, chosen.metrics_port, read_queues)
    except OSError as problem:
        place, reason = f"{chosen.metrics_host}:{chosen.metrics_port}", (problem.strerror or str(problem)).lower()
        raise CommandError(
            f"Cannot serve metrics on {place}: {reason}. Choose another MUSIC_STUDIO_METRICS_PORT."
        ) from None
    return settings.with_options(metrics_dir=folder)
