"""Start-up text of the mock: its address, the keys, and requests to try."""

from __future__ import annotations

from typing import Any

from mock.accounts import Contents


def facts(url: str, contents: Contents) -> dict[str, Any]:
    """The start-up information for scripts."""
    users = {
        account.name: {
            "user_id": account.user_id,
            "organization_id": account.organization_id,
            "api_key": account.secret,
        }
        for account in contents.accounts
    }
    return {
        "url": url,
        "organization_id": contents.accounts[0].organization_id,
        "collection_id": contents.collection_id,
        "track_ids": contents.track_ids,
        "users": users,
    }


def startup_lines(url: str, contents: Contents) -> list[str]:
    """The start-up text for people."""
    accounts = contents.accounts
    width = max(len(account.name) for account in accounts)
    keys = [f"{account.name:{width}}  {account.organization_id}  {account.secret}" for account in accounts]
    curl = f'curl -H "X-API-Key: {accounts[0].secret}"'
    collections = f"{url}/v1/music/{accounts[0].organization_id}/collections"
    page = f"{collections}/{contents.collection_id}" if contents.collection_id else collections
    return [
        f"Docs:      {url}/docs",
        *(f"{'Keys:' if index == 0 else '':9}  {key}" for index, key in enumerate(keys)),
        f"Try:       {curl} {page}",
        f'Fail:      {curl} -H "Prefer: code=503, delay=500" -i {page}',
        f"Reset:     curl -X POST {url}/_mock/reset",
        "All data is in memory and lost when the mock stops.",
    ]
