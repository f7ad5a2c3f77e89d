"""API keys of the demo's users: one key each, which new ones replace."""

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

# Fixed ids: old demo keys do not accumulate, and a key that the operator created for a demo user stays.
KEY_IDS = {"alice": "mkey_0000000000a1", "bob": "mkey_0000000000b0", "mallory": "mkey_0000000000c5"}
SCOPES = ("music:read", "music:write")


def renew(file: Path, pepper: bytes) -> dict[str, Any]:
    """New keys for all users of the demo, as they are printed; the former keys are deleted."""
    printed = {"organization_id": ORGANIZATION, "collection_id": COLLECTION, "users": _issue_all(pepper)}
    with contextlib.suppress(OSError):
        _save(file, json.dumps(printed, indent=2))
    return printed


def current(file: Path, pepper: bytes) -> dict[str, Any]:
    """The keys in the file if all are valid, else new keys."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        printed: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if all(_is_valid(printed["users"][name]["api_key"], key_id, pepper) for name, key_id in KEY_IDS.items()):
            return printed
    return renew(file, pepper)


def _save(file: Path, text: str) -> None:
    # The database has only digests. Without this file each start would replace the demo's keys, and a key that is in
    # use would stop working; that is the only effect if the folder is not writable.
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


def _is_valid(secret: str, key_id: str, pepper: bytes) -> bool:
    key = keys.find(keys.digest(secret, pepper)) if keys.well_formed(secret) else None
    if key is None or key.id != key_id or key.state != "active":
        return False
    return key.expires_at is None or key.expires_at > now()
