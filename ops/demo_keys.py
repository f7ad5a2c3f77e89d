"""The keys of the demo's users: one each, replaced when new ones are printed."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from models import keys
from models.base import now
from models.db import connection
from models.revocation import wait_for_key_caches
from ops.demo import COLLECTION, ORGANIZATION, USERS
from ops.keys import author

# A fixed id each: keys never pile up, and a key that the operator made for a demo user is left alone.
KEY_IDS = {"alice": "mkey_0000000000a1", "bob": "mkey_0000000000b0", "mallory": "mkey_0000000000c5"}
SCOPES = ("music:read", "music:write")


def renew(file: Path, pepper: bytes) -> dict[str, Any]:
    """Fresh keys for all users of the demo, in the form that is printed; the former ones are gone."""
    printed = {"organization_id": ORGANIZATION, "collection_id": COLLECTION, "users": _issue_all(pepper)}
    with contextlib.suppress(OSError):
        _keep(file, json.dumps(printed, indent=2))
    return printed


def current(file: Path, pepper: bytes) -> dict[str, Any]:
    """What was printed last if all of it still opens the door, else fresh keys."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        printed: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if all(_works(printed["users"][name]["api_key"], key_id, pepper) for name, key_id in KEY_IDS.items()):
            return printed
    return renew(file, pepper)


def _keep(file: Path, text: str) -> None:
    # The database has only digests. Without this file every start would have to replace the demo's keys, and the key
    # that somebody has just tried in another window would stop working. A folder that cannot be written costs no more.
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    file.parent.mkdir(parents=True, exist_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


@wait_for_key_caches
@connection.transaction
def _issue_all(pepper: bytes) -> dict[str, Any]:
    return {
        name: {
            "user_id": user_id,
            "organization_id": organization_id,
            "api_key": _issue(KEY_IDS[name], organization_id, user_id, pepper),
        }
        for name, (organization_id, user_id) in USERS.items()
    }


def _issue(key_id: str, organization_id: str, user_id: str, pepper: bytes) -> str:
    by = author("demo")
    keys.remove(key_id, by)
    return keys.make(organization_id, user_id, SCOPES, pepper=pepper, key_id=key_id, by=by)[1]


def _works(secret: str, key_id: str, pepper: bytes) -> bool:
    found = keys.find(keys.digest(secret, pepper)) if keys.well_formed(secret) else None
    if found is None or found.id != key_id or found.state != "active":
        return False
    return found.expires_at is None or found.expires_at > now()
