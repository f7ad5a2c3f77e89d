"""The demo's jobs: one that has made a track, and one that was cancelled, with the values of the reference pages."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert

from models.base import now
from models.db import connection
from models.generation_tables import generations

MADE, CANCELLED = "mjob_3e8b5d1f7a2c", "mjob_9c4d2e7b1f60"
DROP_JOB = delete(generations).where(
    generations.c.organization_id == bindparam("organization"),
    generations.c.user_id == bindparam("user"),
    generations.c.id == bindparam("job"),
)
ADD_JOB = insert(generations)


def reset(organization_id: str, user_id: str, track_id: str, made_at: datetime) -> None:
    """Puts the two jobs back, in the transaction that loads the demo; the first has made this track.

    Both end now: they are kept for some months from then on.
    """
    own: dict[str, Any] = {"organization_id": organization_id, "user_id": user_id}
    for job_id in (MADE, CANCELLED):
        connection.execute(DROP_JOB, organization=organization_id, user=user_id, job=job_id)
    made = {
        "id": MADE, "status": "succeeded", "progress": 100, "engine": "studio", "mode": "creation",
        "prompt": "gentle morning, piano and strings, 84 bpm", "duration_seconds": 24, "result_track_id": track_id,
        "attempt": 1, "created_at": made_at - timedelta(minutes=2),
    }  # fmt: skip
    cancelled = {
        "id": CANCELLED, "status": "cancelled", "progress": 0, "engine": "drift", "mode": "focus",
        "prompt": "slow dawn in D minor", "duration_seconds": 120, "result_track_id": None,
        "attempt": 0, "created_at": made_at - timedelta(minutes=15),
    }  # fmt: skip
    connection.execute_many(ADD_JOB, [_row(own | made), _row(own | cancelled)])


def _row(job: dict[str, Any]) -> dict[str, Any]:
    rest = {"instrumental": True, "style_tags": "[]", "seed": 1, "fingerprint": bytes(32), "cost_cents": 0}
    return job | rest | {"finished_at": now()}
