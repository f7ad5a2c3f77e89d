"""JSON Web Tokens (RFC 7519), verified against a shared secret or a pinned key set, by allowed algorithms only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet, OctKey

from web.exceptions import TokenExpired, TokenInvalid

LEEWAY_SECONDS = 0
_BY_SECRET, _BY_KEY_SET = ("HS256",), ("RS256", "ES256")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says of its bearer."""

    user_id: str
    scopes: frozenset[str]


class JWTVerifier:
    """Verifies tokens, with a shared secret or with the keys of a file.

    Keys come from the configuration alone: `jku`, `x5u` and `jwk` of a token's header are never followed (RFC 8725
    section 3.10), and `alg` must be on the allow-list (section 3.1).
    """

    def __init__(self, secret: str = "", jwks_file: str = "", algorithms: tuple[str, ...] = (), issuer: str = "",
                 audience: str = "") -> None:  # fmt: skip
        self._key = _key(secret, jwks_file)
        self._algorithms = list(algorithms or (_BY_SECRET if secret else _BY_KEY_SET))
        options: dict[str, Any] = {"sub": {"essential": True}, "exp": {"essential": True}}
        options |= {"iss": {"essential": True, "value": issuer}} if issuer else {}
        options |= {"aud": {"essential": True, "value": audience}} if audience else {}
        self._rules = jwt.JWTClaimsRegistry(leeway=LEEWAY_SECONDS, **options)

    def verify(self, token: str) -> Claims:
        """The claims of a token that verifies. Raises TokenExpired, TokenInvalid."""
        try:
            claims = jwt.decode(token, self._key, algorithms=self._algorithms).claims
            self._rules.validate(claims)
            return _claims(claims)
        except ExpiredTokenError:
            raise TokenExpired("The token has expired") from None
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise TokenInvalid(f"The token does not verify: {type(error).__name__}") from None


def _key(secret: str, jwks_file: str) -> OctKey | KeySet:
    if jwks_file:
        return KeySet.import_key_set(json.loads(Path(jwks_file).read_text(encoding="utf-8")))
    return OctKey.import_key(secret)


def _claims(claims: dict[str, Any]) -> Claims:
    user, scope = claims["sub"], claims.get("scope", "")
    if not isinstance(user, str) or not isinstance(scope, str):
        raise ValueError("sub and scope are texts")
    return Claims(user, frozenset(scope.split()))
