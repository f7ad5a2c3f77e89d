"""Keys and algorithms that verify JWTs: which go together, and how strong a key must be (RFC 7518).

A configuration that verifies nothing, or more than it should, is refused before the first request.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from joserfc.jwk import KeySet, OctKey

# Bytes of the secret: at least those of the hash (section 3.2).
BY_SECRET = {"HS256": 32, "HS384": 48, "HS512": 64}
# The type of the key (section 6.1; RFC 8037 section 2).
BY_KEY_SET = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512", "ES256K"), "EC"),
    **dict.fromkeys(("EdDSA", "Ed25519", "Ed448"), "OKP"),
}
RSA_BITS = 2048  # sections 3.3 and 3.5
WRITABLE_BY_ALL = 0o002


def default_algorithms(secret: str) -> tuple[str, ...]:
    """The algorithms that are allowed unless a setting names them."""
    return ("HS256",) if secret else ("RS256", "ES256")


def require(secret: str, jwks_file: str, algorithms: Sequence[str]) -> None:
    """Raises ValueError unless the keys and the algorithms verify tokens, or there are none of both."""
    if secret or jwks_file or algorithms:
        verification_key(secret, jwks_file, algorithms)


def verification_key(secret: str, jwks_file: str, algorithms: Sequence[str]) -> OctKey | KeySet:
    """The key or key set of these algorithms; no algorithms mean the default ones.

    Raises ValueError with a text that begins with the name of a setting, and holds no secret.
    """
    if bool(secret) == bool(jwks_file):
        given = "is set together with" if secret else "needs JWT_SECRET or"
        raise ValueError(f"{'JWT_SECRET' if secret else 'JWT_ALGORITHMS'} {given} JWT_JWKS_FILE: set one of the two")
    allowed = tuple(algorithms) or default_algorithms(secret)
    if secret:
        return _secret_key(secret, allowed)
    try:
        return _key_set(Path(jwks_file), allowed)
    except OSError as error:
        raise ValueError(f"JWT_JWKS_FILE cannot be read: {error.strerror}") from error
    except ValueError as reason:
        raise ValueError(f"JWT_JWKS_FILE names no JWK set of public keys: {reason}") from None


def _secret_key(secret: str, algorithms: Sequence[str]) -> OctKey:
    from joserfc.jwk import OctKey

    for algorithm in algorithms:
        if algorithm not in BY_SECRET:
            raise ValueError(f"JWT_ALGORITHMS has {algorithm}, which needs JWT_JWKS_FILE and not JWT_SECRET")
        if len(secret.encode()) < BY_SECRET[algorithm]:
            raise ValueError(f"JWT_SECRET must have at least {BY_SECRET[algorithm]} bytes for {algorithm}")
    return OctKey.import_key(secret)


def _key_set(file: Path, algorithms: Sequence[str]) -> KeySet:
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    if file.stat().st_mode & WRITABLE_BY_ALL:
        raise ValueError("everybody can write to it")
    for algorithm in algorithms:
        if algorithm not in BY_KEY_SET:
            raise ValueError(f"{algorithm} of JWT_ALGORITHMS needs JWT_SECRET")
    try:
        keys = KeySet.import_key_set(_document(file))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise ValueError("a key or the document is malformed") from None
    for key in keys.keys:
        _require_public(key)
    if not {key.key_type for key in keys.keys} & {BY_KEY_SET[algorithm] for algorithm in algorithms}:
        raise ValueError(f"none of its keys is for {' or '.join(algorithms)}")
    return keys


def _document(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _require_public(key: Any) -> None:
    if key.key_type == "oct" or key.is_private:
        raise ValueError("it has a secret or private key, which verifies nothing that the public key does not")
    if key.key_type == "RSA" and key.public_key.key_size < RSA_BITS:
        raise ValueError(f"it has an RSA key of fewer than {RSA_BITS} bits")
