"""Callers for tests that call models directly: their users, organizations and no credential."""

from models.access import Caller

HOME, ELSEWHERE = "org_home", "org_elsewhere"


def caller(user: str, *organization_ids: str) -> Caller:
    """A caller without scopes and without an API key."""
    return Caller(user, frozenset(organization_ids), frozenset(), None)


ALICE = caller("alice", HOME, ELSEWHERE)
MALLORY = caller("mallory", HOME)
