"""Tokens of share links: `shr_` and 32 hexadecimal digits, 128 random bits.

The digest that is stored is an HMAC under a key derived from the key pepper (HKDF, RFC 5869), so it is no digest of an
API key, and a copy of the database says nothing about any token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "shr_"
_PURPOSE = b"music-studio share token 1"
_FORM = re.compile(f"{PREFIX}[0-9a-f]{{32}}")


class ShareTokens:
    """Makes tokens and their digests. `pepper` is the key pepper of the installation."""

    def __init__(self, pepper: bytes) -> None:
        self._key = HKDF(SHA256(), 32, None, _PURPOSE).derive(pepper)

    def digest(self, token: str) -> bytes:
        """The stored digest of a token, 32 bytes: HMAC-SHA-256 (RFC 2104); any text has one."""
        return hmac.digest(self._key, token.encode(), hashlib.sha256)


def new_token() -> str:
    """A new token, which nobody can guess."""
    return PREFIX + secrets.token_hex(16)


def is_well_formed(token: str) -> bool:
    """Whether the text has the form of a token."""
    return _FORM.fullmatch(token) is not None
