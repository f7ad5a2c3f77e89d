"""The demo's focus session, which has ended and lost its audio, with the values of the reference pages."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert

from models.base import now
from models.db import connection
from models.focus_sessions import SEGMENT_SECONDS
from models.focus_tables import focus_sessions

SESSION = "mfocus_5d0b7e3a9c14"
MINUTES, SEGMENTS = 30, 15
DROP_SESSION = delete(focus_sessions).where(
    focus_sessions.c.organization_id == bindparam("organization"), focus_sessions.c.id == bindparam("session")
)
ADD_SESSION = insert(focus_sessions)


def reset(organization_id: str, user_id: str, started_at: datetime) -> None:
    """Puts the session back, in the transaction that loads the demo. It ends now: it is kept for some months."""
    connection.execute(DROP_SESSION, organization=organization_id, session=SESSION)
    ended_at = now()
    row: dict[str, Any] = {
        "organization_id": organization_id, "id": SESSION, "user_id": user_id, "status": "ended", "goal": "focus",
        "engine": "studio", "intensity": "medium", "divergence_percent": 30, "target_minutes": MINUTES,
        "segment_seconds": SEGMENT_SECONDS, "segment_cents": 0, "total_segments": SEGMENTS, "next_index": SEGMENTS,
        "seed": 1, "fingerprint": bytes(32), "attempt": 0, "seen_at": ended_at, "created_at": started_at,
        "ended_at": ended_at, "purged_at": ended_at,
    }  # fmt: skip
    connection.execute_many(ADD_SESSION, [row])
