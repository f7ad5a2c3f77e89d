"""Seals of signed URLs: who owns what a URL names, and until when, readable by this service alone.

A seal is `mseal_` and 124 characters of base64url: AES-SIV (RFC 5297) over a text of fixed length, with the file name
of the URL as associated data, under a key derived from the key pepper (HKDF, RFC 5869). AES-SIV takes no nonce, so none
can be used twice, however many URLs are made. Every seal has the same length, and no character of it has bits that do
not count: what is altered anywhere does not open.
"""

from __future__ import annotations

import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "mseal_"
_KEY_BYTES = 64  # of AES-256-SIV
_PURPOSE = b"music-studio signed url 1"
_TEXT_BYTES = 69  # with the expiry and the tag 93 bytes, which base64 writes without a rest
_CONTENT = struct.Struct(f">Q{_TEXT_BYTES}s")
_SEAL = re.compile(f"{PREFIX}([0-9A-Za-z_-]{{124}})")
_PART = re.compile(r"[a-z][a-z0-9_]*")


class Grant(NamedTuple):
    """What a seal says: the owner, what is played (`master`, a stem, or `segment`), and the expiry in Unix seconds."""

    organization_id: str
    part: str
    expires: int


class URLSealer:
    """Makes and opens seals. `pepper` is the key pepper of the installation."""

    def __init__(self, pepper: bytes) -> None:
        self._cipher = AESSIV(HKDF(SHA256(), _KEY_BYTES, None, _PURPOSE).derive(pepper))

    def seal(self, file: str, grant: Grant) -> str:
        """The seal of a grant for a URL with this file name. Raises ValueError for a grant that is too long."""
        text = f"{grant.part} {grant.organization_id}".encode()
        if len(text) > _TEXT_BYTES or not _PART.fullmatch(grant.part):
            raise ValueError(f"A seal cannot hold the part {grant.part!r} of an organization with this id")
        content = _CONTENT.pack(grant.expires, text)
        return PREFIX + urlsafe_b64encode(self._cipher.encrypt(content, [file.encode()])).decode()

    def open(self, file: str, seal: str) -> Grant | None:
        """The grant in a seal, expired or not; None for what is no seal of this file and this installation."""
        found = _SEAL.fullmatch(seal)
        if found is None:
            return None
        try:
            content = self._cipher.decrypt(urlsafe_b64decode(found[1]), [file.encode()])
        except InvalidTag:
            return None
        expires, text = _CONTENT.unpack(content)
        part, _, organization_id = text.rstrip(b"\0").decode().partition(" ")
        return Grant(organization_id, part, expires)
