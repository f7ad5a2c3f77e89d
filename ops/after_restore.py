"""What a restored database needs before it serves: new versions, keys and links that stay revoked, no job at work."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from models import collection_versions, focus_retention, generation_queue, keys, shares
from models.base import now
from models.keys import Actor, ApiKey
from models.shares import OwnedLink
from ops.errors import CommandError

FINAL = ("revoked", "deleted")


class Event(NamedTuple):
    """An event of the key log of the lost history."""

    key_id: str
    event: str
    happened_at: datetime


class LostHistory(NamedTuple):
    """What is known of the database that was replaced; `events` is None if its key log cannot be read.

    `revoked_links` are share links, which whoever has them should not be able to open again.
    """

    events: Sequence[Event] | None = None
    highest_version: int = 0
    revoked_links: Sequence[OwnedLink] = ()


class Result(NamedTuple):
    """Ids of keys that were withdrawn in the lost history: those that are now again, and those that work again.

    `working_again` is None if nobody knows. `requeued_jobs` were at work at the backup, and wait in the queue now;
    `revoked_links` is the number of share links that were revoked again.
    """

    withdrawn_keys: list[str]
    working_again: list[str] | None
    requeued_jobs: int
    revoked_links: int


def finish(url: str, lost: LostHistory, since: datetime | None, by: Actor) -> Result:
    """Renews the versions, ends the focus sessions, whose audio is lost, and withdraws keys.

    Jobs that were at work go back into the queue: no worker of the lost history is at work on them any more. Focus
    sessions end, because their audio is in no backup. `url` is that of the current database. Raises Unavailable.
    """
    collection_versions.renew(url, lost.highest_version)
    focus_retention.end_all()
    requeued, revoked = generation_queue.give_back_all(), shares.revoke_links(lost.revoked_links)
    if lost.events is None:
        return Result([], None, requeued, revoked)
    withdrawn = [] if since is None else _withdraw(lost.events, since, by)
    return Result(withdrawn, [key.id for key, _ in _working_again(lost.events)], requeued, revoked)


def read_key_log(file: Path) -> list[Event]:
    """The events in the output of `music-studio keys log --json`. Raises CommandError."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return [event(row["key_id"], row["event"], row["happened_at"]) for row in rows]
    except (ValueError, TypeError, LookupError) as error:
        raise CommandError(f"The file {file} is no output of `music-studio keys log --json`.") from error


def event(key_id: str, name: str, happened_at: str) -> Event:
    """An event with its time as text. Raises ValueError, TypeError."""
    return Event(key_id, name, _time(happened_at))


def parse_time(text: str) -> datetime:
    """A time such as 2026-11-29T10:00:00Z; without a time zone it is UTC. Raises CommandError."""
    try:
        return _time(text)
    except ValueError:
        raise CommandError(f"{text!r} is no time: use a form such as 2026-11-29T10:00:00Z.") from None


def facts(result: Result) -> dict[str, Any]:
    """The result as it is printed."""
    return result._asdict()


def sentences(result: Result) -> list[str]:
    """The result for people."""
    jobs = [f"{result.requeued_jobs} jobs that were at work are queued again."] if result.requeued_jobs else []
    return jobs + _key_sentences(result)


def _key_sentences(result: Result) -> list[str]:
    again = result.working_again
    lines = [f"{result.revoked_links} share links were revoked again."] if result.revoked_links else []
    if again is None:
        text = "Keys that were revoked after the backup work again: nobody knows which, so see docs/operating.md."
        return [*lines, text]
    if result.withdrawn_keys:
        lines.append(f"{len(result.withdrawn_keys)} keys were withdrawn again.")
    if again:
        lines.append(f"{len(again)} keys that were revoked or paused after the backup work again: {', '.join(again)}.")
    return lines


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=time.tzinfo or UTC)


def _withdraw(events: Sequence[Event], since: datetime, by: Actor) -> list[str]:
    later = [event for event in events if event.happened_at >= since]
    return [key.id for key, state in _working_again(later) if keys.set_state(key.id, state, by)]


def _working_again(events: Sequence[Event]) -> list[tuple[ApiKey, str]]:
    """The keys that work, and the state that they had in the lost history."""
    by_key: dict[str, list[Event]] = {}
    for found in sorted(events, key=lambda event: event.happened_at):
        by_key.setdefault(found.key_id, []).append(found)
    lost = ((key, _lost_state(key, by_key.get(key.id, ()))) for key in keys.list_all() if _works(key))
    return [(key, state) for key, state in lost if state != "active"]


def _works(key: ApiKey) -> bool:
    return key.state == "active" and (key.expires_at is None or key.expires_at > now())


def _lost_state(key: ApiKey, events: Iterable[Event]) -> str:
    """The state after these events; one before the key's creation is of a former key with its id."""
    created_at = key.created_at.replace(microsecond=0)  # a printed log has whole seconds
    names = [event.event for event in events if event.happened_at >= created_at]
    if set(FINAL) & set(names):
        return "deactivated"
    changes = [name for name in names if name in ("paused", "resumed")]
    return "paused" if changes[-1:] == ["paused"] else "active"
