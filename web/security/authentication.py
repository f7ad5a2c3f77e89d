"""Authentication: turns the credentials that the contract's security schemes describe into a Caller.

A credential is an API key or a JWT. Decision 10.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from models import keys, organizations
from models.access import Caller
from models.db.database import Database
from web.context import RequestContext
from web.contract.operations import Operation
from web.contract.parameters import parse_query
from web.contract.security import Requirement, Security
from web.exceptions import (
    AuthenticationRequired,
    KeyDeactivated,
    KeyExpired,
    KeyPaused,
    MalformedRequest,
    RequestError,
    ScopeMissing,
    TokenInvalid,
)
from web.security.key_cache import TTLCache
from web.security.key_usage import KeyUsageRecorder

if TYPE_CHECKING:
    from web.security.jwt import JWTVerifier

_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([!-~]+)")
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_STATES: dict[str, type[RequestError]] = {"paused": KeyPaused, "deactivated": KeyDeactivated}


class Authenticator:
    """Authenticates requests; caches API keys for `key_cache_seconds`."""

    def __init__(
        self,
        database: Database,
        pepper: bytes,
        jwt_verifier: JWTVerifier | None,
        key_usage: KeyUsageRecorder,
        *,
        key_cache_seconds: float,
    ) -> None:
        self.database = database
        self.pepper = pepper
        self.jwt_verifier = jwt_verifier
        self.key_usage = key_usage
        self._cache: TTLCache[tuple[keys.ApiKey, Caller]] = TTLCache(key_cache_seconds)

    async def authenticate(self, operation: Operation, context: RequestContext) -> Caller | None:
        """The caller, or None without a credential if the operation's security is optional.

        Every credential that is sent must be valid, and all must belong to the same user. Raises MalformedRequest,
        AuthenticationRequired, KeyExpired, KeyPaused, KeyDeactivated, TokenExpired, TokenInvalid, and ScopeMissing if
        the credentials lack the scopes of every requirement that they meet.
        """
        sent, secrets = _credentials(operation.security, context)
        if not sent:
            _require_optional(operation.security)
            return None
        caller = await self._caller(secrets[0])
        for secret in secrets[1:]:
            caller = _intersect(caller, await self._caller(secret))
        if caller.key_id is not None:
            self.key_usage.record(caller.key_id)
        met = None
        for requirement in operation.security.requirements:
            if requirement.credentials & sent == requirement.credentials:
                if requirement.scopes <= caller.scopes:
                    return caller
                met = met or requirement
        raise _unauthenticated() if met is None else _scope_missing(met, caller)

    async def _caller(self, credential: str) -> Caller:
        cached = self._cache.get(credential)
        if cached is not None:
            return _require_active(*cached)
        if keys.well_formed(credential):
            return _require_active(*await self._look_up(credential))
        return await self._verify_token(credential)

    async def _look_up(self, secret: str) -> tuple[keys.ApiKey, Caller]:
        """Looks up the key and caches it. A key change waits until every cache has expired (models/revocation.py)."""
        queried_at = monotonic()
        key = await self.database.call(keys.find, keys.digest(secret, self.pepper), writes=False)
        if key is None:
            raise _unauthenticated()
        entry = key, Caller(key.user_id, frozenset((key.organization_id,)), key.scopes, key.id, key.rate_limit)
        self._cache.put(secret, entry, queried_at)
        return entry

    async def _verify_token(self, credential: str) -> Caller:
        if not _JWT.fullmatch(credential):
            raise _unauthenticated()
        if self.jwt_verifier is None:
            raise TokenInvalid("This server accepts no JSON Web Tokens")
        claims = self.jwt_verifier.verify(credential)
        memberships = await self.database.call(organizations.organizations_of, claims.user_id, writes=False)
        if not memberships:
            raise TokenInvalid("The token's user belongs to no organization of this server")
        return Caller(claims.user_id, memberships, claims.scopes, None)


def _credentials(security: Security, context: RequestContext) -> tuple[int, list[str]]:
    """The bits and texts of the credentials. Raises MalformedRequest; AuthenticationRequired if one is malformed."""
    headers, sent = context.headers, 0
    secrets: list[str] = []
    for name, bit, is_bearer in security.headers:
        if name in headers:
            sent |= bit
            secrets.append(_ascii(_token(headers[name]) if is_bearer else headers[name]))
    if len(headers) != len(context.scope["headers"]):
        names = [name for name, _, _ in security.headers]
        _reject_repeated([name for name, _ in context.scope["headers"] if name in names])
    if security.query:
        values = [(name, value) for name, value in parse_query(context.scope["query_string"]) if name in security.query]
        _reject_repeated([name for name, _ in values])
        sent |= sum(security.query[name] for name, _ in values)
        secrets += [value for _, value in values]
    return sent, secrets


def _require_optional(security: Security) -> None:
    """Raises AuthenticationRequired unless the security is optional."""
    if not security.is_optional:
        raise _unauthenticated()


def _reject_repeated(names: Sequence[object]) -> None:
    if len(set(names)) != len(names):
        raise MalformedRequest("A credential must not be repeated")


def _token(authorization: bytes) -> bytes:
    bearer = _BEARER.fullmatch(authorization)
    if bearer is None:
        raise _unauthenticated()
    return bearer[1]


def _scope_missing(requirement: Requirement, caller: Caller) -> ScopeMissing:
    scope = " ".join(sorted(requirement.scopes - caller.scopes))
    return ScopeMissing(f"The credential lacks the scope {scope}", scope=scope)


def _ascii(secret: bytes) -> str:
    try:
        return secret.decode("ascii")
    except UnicodeDecodeError:
        raise _unauthenticated() from None


def _require_active(key: keys.ApiKey, caller: Caller) -> Caller:
    """The caller. Raises KeyPaused, KeyDeactivated or KeyExpired unless the key is active."""
    if key.state in _STATES:
        raise _STATES[key.state](f"The API key is {key.state}")
    if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
        raise KeyExpired("The API key has expired")
    return caller


def _intersect(one: Caller, other: Caller) -> Caller:
    """The intersection of two credentials of one user. Raises AuthenticationRequired for different users."""
    if one.user_id != other.user_id:
        raise _unauthenticated()
    key = one if one.key_id else other
    shared = one.organizations & other.organizations
    return Caller(one.user_id, shared, one.scopes & other.scopes, key.key_id, key.rate_limit)


def _unauthenticated() -> AuthenticationRequired:
    return AuthenticationRequired("Missing or invalid authorization header")
