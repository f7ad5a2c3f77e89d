"""Hourly maintenance of a server: deletes what has expired, and audio that nothing needs any more."""

from datetime import timedelta
from typing import NamedTuple

import structlog

from models import focus_retention, idempotency, keys, share_revocation
from models.db.database import Database
from models.exceptions import AudioUnavailable, Unavailable
from ops import audio

ABANDONED = timedelta(hours=1)
"""How long a focus session goes on without a sign of life."""
SESSION_AUDIO_HOURS = 24.0
"""How long the audio of an ended focus session is kept."""
EXPIRED_TOKENS = timedelta(days=30)
"""How long the token of an expired share link is kept, in case that a clock was wrong."""
SERVER = keys.Actor("server", "serve")
log = structlog.get_logger("ops.maintenance")


class AudioOptions(NamedTuple):
    """The store of the audio, the hours after which what no track names is deleted, and the life of a URL."""

    url: str
    orphan_hours: int
    url_seconds: int


def maintain(database_url: str, audio_options: AudioOptions) -> None:
    """Does the maintenance once, with its own Database; nothing in a schema of another version."""
    with Database(database_url, pool_size=1) as database:
        try:
            database.require_schema()
            _clean_up()
            _clean_up_audio(audio_options)
        except AudioUnavailable as failure:
            log.warning("maintenance of audio failed, next try in an hour", reason=failure.reason)
        except Unavailable as failure:
            log.warning("maintenance failed, next try in an hour", reason=failure.system_message)


def _clean_up() -> None:
    if deleted := idempotency.delete_expired():
        log.info("expired idempotency keys deleted", count=deleted)
    if ended := focus_retention.end_abandoned(ABANDONED):
        log.info("focus sessions without a listener ended", count=ended)
    if deleted := share_revocation.delete_expired_tokens(EXPIRED_TOKENS):
        log.info("tokens of expired share links deleted", count=deleted)
    if expired := keys.log_expired(SERVER):
        log.info("API keys expired", keys=expired)


def _clean_up_audio(options: AudioOptions) -> None:
    store = audio.open_store(options.url)
    if removed := audio.remove_deleted(store, options.url_seconds):
        log.info("audio of deleted tracks removed", count=removed)
    if removed := audio.remove_of_ended_sessions(store, SESSION_AUDIO_HOURS):
        log.info("audio of ended focus sessions removed", count=removed)
    cleaned = audio.clean(store, options.orphan_hours)
    if cleaned.deleted:
        log.info("audio without a track deleted", count=cleaned.deleted, bytes=cleaned.deleted_bytes)
    if cleaned.kept:
        log.warning("most audio in the store has no track: kept, see music-studio audio clean", count=cleaned.kept)
