"""Format and digest of API keys: prefix, random part and checksum. A mistyped key is refused without a query."""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Callable

PREFIX = "msk_"
RANDOM_LENGTH = 30
CHECKSUM_LENGTH = 6

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}")


def new_secret(choice: Callable[[str], str] = secrets.choice) -> str:
    """A new secret: 40 characters with 178 random bits. `choice` takes one character of a text."""
    body = PREFIX + "".join(choice(_ALPHABET) for _ in range(RANDOM_LENGTH))
    return body + _checksum(body)


def well_formed(secret: str) -> bool:
    """Whether form and checksum of the secret are valid; needs no query."""
    return _FORM.fullmatch(secret) is not None and secret[-CHECKSUM_LENGTH:] == _checksum(secret[:-CHECKSUM_LENGTH])


def digest(secret: str, pepper: bytes) -> bytes:
    """The stored digest of a secret, 32 bytes: HMAC-SHA-256 (RFC 2104) with a pepper that is not in the database."""
    return hmac.digest(pepper, secret.encode(), hashlib.sha256)


def _checksum(body: str) -> str:
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
