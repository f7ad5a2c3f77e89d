"""Key usage: `last_used_at` of API keys.

Decision 38.
"""

from __future__ import annotations

from models import keys
from models.db.database import Database
from web.usage import UsageRecorder


class KeyUsageRecorder(UsageRecorder[str]):
    """Records the keys that were used, each key at most once per interval."""

    def __init__(self, database: Database, interval_seconds: float = keys.USE_INTERVAL.total_seconds()) -> None:
        super().__init__(database, "keys", keys.record_uses, interval_seconds)
