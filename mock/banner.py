"""Start-up text of the mock: its address, the demo keys, and requests to try."""

from __future__ import annotations

from typing import Any

from mock.accounts import SECRETS
from ops import demo


def facts(url: str) -> dict[str, Any]:
    """The start-up information for scripts."""
    users = {
        name: {"user_id": user_id, "organization_id": organization_id, "api_key": SECRETS[name]}
        for name, (organization_id, user_id) in demo.USERS.items()
    }
    return {
        "url": url,
        "organization_id": demo.ORGANIZATION,
        "collection_id": demo.COLLECTION,
        "track_ids": [piece.track_id for piece in demo.TRACKS],
        "users": users,
    }


def startup_lines(url: str) -> list[str]:
    """The start-up text for people."""
    width = max(map(len, SECRETS))
    keys = [f"{name:{width}}  {demo.USERS[name][0]}  {secret}" for name, secret in SECRETS.items()]
    curl = f'curl -H "X-API-Key: {SECRETS["alice"]}"'
    return [
        f"Docs:      {url}/docs",
        *(f"{'Keys:' if index == 0 else '':9}  {key}" for index, key in enumerate(keys)),
        f"Try:       {curl} {url}{demo.PAGE}",
        f'Fail:      {curl} -H "Prefer: code=503, delay=500" -i {url}{demo.PAGE}',
        "All data is in memory and lost when the mock stops.",
    ]
