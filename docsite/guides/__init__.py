"""The guides: Markdown templates beside this module, each for contracts that have the operations that it calls."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).parent


class Guide(NamedTuple):
    """A guide: its title, a sentence for lists of guides, and the operationIds that its text and code name."""

    slug: str
    title: str
    summary: str
    needs: tuple[str, ...] = ()


_ALL = (
    Guide("authentication", "Get an API key", "Keys, scopes and organizations, and the first request with a key.",
          ("get_collection",)),
    Guide("requests", "Requests and responses", "Ids, timestamps, null and absent, request ids, money."),
    Guide("errors-and-retries", "Errors and retries", "One envelope for every error, and which requests to send again.",
          ("get_collection", "create_collection")),
    Guide("rate-limits", "Rate limits", "Every quota with its size, and the headers that tell what is left."),
    Guide("paging", "Paging", "Read a list page by page, with limit and offset.", ("list_collections",)),
    Guide("idempotency", "Idempotency", "Send a change again without doing it twice.", ("create_collection",)),
    Guide("conditional-requests", "Conditional requests", "Read only what changed, and overwrite nobody's change.",
          ("get_collection", "update_collection")),
    Guide("making-music", "Make music", "From a sentence to a track: jobs, engines, and what they cost.",
          ("list_engines", "create_generation", "get_generation", "cancel_generation", "get_usage")),
    Guide("sharing", "Share music", "Links that open a track or a collection without an account.",
          ("share_collection", "share_track", "list_shares", "revoke_share", "resolve_share", "save_shared_track")),
    Guide("focus", "Play music that goes on", "Focus sessions: segments that join without a gap.",
          ("start_focus_session", "get_focus_session", "list_focus_sessions", "end_focus_session", "get_audio")),
    Guide("compatibility", "Contract and compatibility", "Which document to take, and what may change."),
    Guide("testing", "Test against it", "Schemathesis, Prism and Specmatic, with the words to type."),
    Guide("libraries", "Libraries", "Clients in nine languages: how to get each one, and its first request.",
          ("create_collection",)),
)  # fmt: skip


def guides(operation_ids: Collection[str]) -> list[Guide]:
    """The guides of a contract with these operations."""
    return [guide for guide in _ALL if set(guide.needs) <= set(operation_ids)]
