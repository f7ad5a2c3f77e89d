"""Deletion of an organization: memberships, keys and jobs end, then rows and audio go; its own row is the last.

So a deletion that was interrupted can be repeated. Rows go before the audio that they name.
"""

from collections.abc import Callable, Mapping
from typing import Any

from models import organization_rows, organizations, track_audio
from models.audio_store import AudioStore
from models.keys import Actor
from ops import audio
from ops.members import ENDED_WITH_MEMBERSHIP, end, require_organization

Progress = Callable[[int, int], None]


def delete(organization_id: str, store: AudioStore, by: Actor, progress: Progress) -> dict[str, Any]:
    """Deletes an organization with everything that is its own; returns the numbers. Raises Unavailable, CommandError.

    No request and no job of it writes any more when the first row is deleted.
    """
    require_organization(organization_id)
    _end_access(organization_id, by)
    tables = organization_rows.tables()
    *owned, last = tables
    rows = 0
    for done, table in enumerate(owned, start=1):
        rows += sum(organization_rows.delete_rows(table, organization_id))
        progress(done, len(tables))
    files, size = audio.remove_all(store, organization_id)
    rows += sum(organization_rows.delete_rows(last, organization_id))
    progress(len(tables), len(tables))
    return {"organization_id": organization_id, "rows": rows, "audio_files": files, "audio_bytes": size}


def question(organization_id: str) -> str:
    """What to ask before a deletion. Raises CommandError."""
    require_organization(organization_id)
    members = sum(each.ended_at is None for each in organizations.members(organization_id))
    return (
        f"This deletes {organization_id}, its {members} members, keys, tracks, audio, collections and jobs, for good. "
        "Type its id to go on"
    )


def sentence(facts: Mapping[str, Any]) -> str:
    """The result for people."""
    size = facts["audio_bytes"] // track_audio.MIB
    counts = f"{facts['rows']} rows and {facts['audio_files']} audio files, {size} MiB"
    return f"{facts['organization_id']} is deleted: {counts}. Backups still have it."


def _end_access(organization_id: str, by: Actor) -> None:
    users = [each.user_id for each in organizations.members(organization_id)]
    end(users, organization_id, by)
    for user_id in users:
        for end_all in ENDED_WITH_MEMBERSHIP.values():
            end_all(organization_id, user_id)
