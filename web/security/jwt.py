"""JWT verification (RFC 7519) with a shared secret or a local JWK set, for allowed algorithms only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError

from models.organizations import USER
from web.exceptions import TokenExpired, TokenInvalid
from web.security import jwt_keys

LEEWAY_SECONDS = 0


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims that are used: the user (`sub`) and the scopes."""

    user_id: str
    scopes: frozenset[str]


class JWTVerifier:
    """Verifies tokens with a shared secret or the keys of a JWKS file.

    Keys come from the configuration only: `jku`, `x5u` and `jwk` in a token's header are ignored (RFC 8725 section
    3.10), and `alg` must be on the allow-list (section 3.1). Raises ValueError for keys or algorithms that do not fit.
    """

    def __init__(self, secret: str = "", jwks_file: str = "", algorithms: tuple[str, ...] = (), issuer: str = "",
                 audience: str = "") -> None:  # fmt: skip
        self._key = jwt_keys.verification_key(secret, jwks_file, algorithms)
        self._algorithms = list(algorithms or jwt_keys.default_algorithms(secret))
        options: dict[str, Any] = {"sub": {"essential": True}, "exp": {"essential": True}}
        options |= {"iss": {"essential": True, "value": issuer}} if issuer else {}
        options |= {"aud": {"essential": True, "value": audience}} if audience else {}
        self._claims_registry = jwt.JWTClaimsRegistry(leeway=LEEWAY_SECONDS, **options)

    def verify(self, token: str) -> Claims:
        """The claims of a valid token. Raises TokenExpired, TokenInvalid.

        Whatever the library raises for a text of the client, the token does not verify (RFC 7519 section 7.2): deep
        nesting exhausts the stack, numbers overflow, texts do not decode.
        """
        try:
            claims = jwt.decode(token, self._key, algorithms=self._algorithms).claims
            self._claims_registry.validate(claims)
            return _claims(claims)
        except ExpiredTokenError:
            raise TokenExpired("The token has expired") from None
        except Exception as error:  # noqa: BLE001 - see above
            raise TokenInvalid(f"The token does not verify: {type(error).__name__}") from None


def _claims(claims: dict[str, Any]) -> Claims:
    """The user, of the form that memberships have, and the scopes, separated by spaces (RFC 8693 section 4.2)."""
    user, scope = claims["sub"], claims.get("scope", "")
    if not USER.fullmatch(user):
        raise ValueError("sub is not the id of a user")
    return Claims(user, frozenset(scope.split(" ")))
