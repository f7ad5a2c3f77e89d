"""Authentication: turns the credentials that the contract's security schemes describe into a Caller.

A credential is an API key or a JWT. Decision 10.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from time import monotonic
from typing import TYPE_CHECKING

from models import keys, organizations
from models.access import Caller
from models.base import now
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

# Without a key cache, a request would look up its credential once more for each write.
MIN_LEASE_SECONDS = 0.1
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([!-~]+)")
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_STATES: dict[str, type[RequestError]] = {"paused": KeyPaused, "deactivated": KeyDeactivated}


class Authenticator:
    """Authenticates requests; caches API keys for `key_cache_seconds`.

    A result is valid for as long, and at least for MIN_LEASE_SECONDS; then the request is authenticated again when its
    body is complete, and before it commits (CredentialLease).
    """

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
        self._lease_seconds = max(key_cache_seconds, MIN_LEASE_SECONDS)
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
        cached = self._cache.get(secrets[0]) if len(secrets) == 1 else None
        if cached is not None:
            caller = _require_active(*cached)
        else:
            fields = _fields(operation.security, context)
            _require_form(secrets, fields)
            caller = await self.database.call(self._look_up, secrets, fields, writes=False)
        if caller.key_id is not None:
            self.key_usage.record(caller.key_id)
        return _require_sufficient(operation.security, sent, caller)

    def is_expired(self, caller: Caller) -> bool:
        """Whether the caller was authenticated too long ago."""
        return monotonic() - caller.checked_at > self._lease_seconds

    def authenticate_again(self, operation: Operation, context: RequestContext) -> Caller:
        """As `authenticate`, inside a function that queries the database."""
        sent, secrets = _credentials(operation.security, context)
        caller = self._look_up(secrets, _fields(operation.security, context))
        return _require_sufficient(operation.security, sent, caller)

    def _look_up(self, credentials: list[str], fields: list[str]) -> Caller:
        return reduce(_intersect, map(self._caller_in, credentials, fields))

    def _caller_in(self, credential: str, field: str) -> Caller:
        try:
            return self._caller(credential)
        except RequestError as refusal:
            refusal.details |= _named(field)
            raise

    def _caller(self, credential: str) -> Caller:
        entry = self._cache.get(credential)
        if entry is None and keys.well_formed(credential):
            entry = self._find(credential)
        return self._verify_token(credential) if entry is None else _require_active(*entry)

    def _find(self, secret: str) -> tuple[keys.ApiKey, Caller]:
        """Looks up the key and caches it. A key change waits until every cache has expired (models/revocation.py)."""
        queried_at = monotonic()
        key = keys.find(keys.digest(secret, self.pepper))
        if key is None:
            raise _unauthenticated()
        organizations = frozenset((key.organization_id,))
        entry = key, Caller(key.user_id, organizations, key.scopes, key.id, key.rate_limit, queried_at)
        self._cache.put(secret, entry, queried_at)
        return entry

    def _verify_token(self, credential: str) -> Caller:
        if self.jwt_verifier is None:
            raise TokenInvalid("This server accepts no JSON Web Tokens")
        checked_at = monotonic()
        claims = self.jwt_verifier.verify(credential)
        memberships = organizations.organizations_of(claims.user_id)
        if not memberships:
            raise TokenInvalid("The token's user belongs to no organization of this server")
        return Caller(claims.user_id, memberships, claims.scopes, None, checked_at=checked_at)


def _credentials(security: Security, context: RequestContext) -> tuple[int, list[str]]:
    """The bits and texts of the credentials. Raises MalformedRequest; AuthenticationRequired if one is malformed."""
    headers, sent = context.headers, 0
    secrets: list[str] = []
    try:
        for name, bit, is_bearer in security.headers:
            if name in headers:
                sent |= bit
                value = headers[name]
                secrets.append((_token(value) if is_bearer else value).decode("ascii"))
    except (UnicodeDecodeError, AuthenticationRequired):
        raise _unauthenticated(_fields(security, context)[len(secrets)]) from None
    if len(headers) != len(context.scope["headers"]):
        names = [name for name, _, _ in security.headers]
        _reject_repeated([name for name, _ in context.scope["headers"] if name in names])
    if security.query:
        values = [(name, value) for name, value in parse_query(context.scope["query_string"]) if name in security.query]
        _reject_repeated([name for name, _ in values])
        sent |= sum(security.query[name] for name, _ in values)
        secrets += [value for _, value in values]
    return sent, secrets


def _fields(security: Security, context: RequestContext) -> list[str]:
    """The name of the header field of each credential, in the same order; empty names if there is only one."""
    fields = [name.decode("ascii") for name, _, _ in security.headers if name in context.headers]
    query = parse_query(context.scope["query_string"]) if security.query else []
    names = fields + [""] * sum(name in security.query for name, _ in query)
    return names if len(names) > 1 else [""]


def _named(field: str) -> dict[str, object]:
    return {"field": field} if field else {}


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


def _require_sufficient(security: Security, sent: int, caller: Caller) -> Caller:
    """The caller. Raises AuthenticationRequired or ScopeMissing unless a requirement is met with its scopes."""
    met = None
    for requirement in security.requirements:
        if requirement.credentials & sent == requirement.credentials:
            if requirement.scopes <= caller.scopes:
                return caller
            met = met or requirement
    raise _unauthenticated() if met is None else _scope_missing(met, caller)


def _scope_missing(requirement: Requirement, caller: Caller) -> ScopeMissing:
    scope = " ".join(sorted(requirement.scopes - caller.scopes))
    return ScopeMissing(f"The credential lacks the scope {scope}", scope=scope)


def _require_form(credentials: list[str], fields: list[str]) -> None:
    """Raises AuthenticationRequired for what is neither a key nor a token: it needs no query."""
    for credential, field in zip(credentials, fields, strict=True):
        if not keys.well_formed(credential) and not _JWT.fullmatch(credential):
            raise _unauthenticated(field)


def _require_active(key: keys.ApiKey, caller: Caller) -> Caller:
    """The caller. Raises KeyPaused, KeyDeactivated or KeyExpired unless the key is active."""
    if key.state in _STATES:
        raise _STATES[key.state](f"The API key is {key.state}")
    if key.expires_at is not None and key.expires_at <= now():
        raise KeyExpired("The API key has expired")
    return caller


def _intersect(one: Caller, other: Caller) -> Caller:
    """The intersection of two credentials of one user. Raises AuthenticationRequired for different users."""
    if one.user_id != other.user_id:
        raise _unauthenticated()
    key = one if one.key_id else other
    shared, checked_at = one.organizations & other.organizations, min(one.checked_at, other.checked_at)
    return Caller(one.user_id, shared, one.scopes & other.scopes, key.key_id, key.rate_limit, checked_at)


def _unauthenticated(field: str = "") -> AuthenticationRequired:
    return AuthenticationRequired("Missing or invalid authorization header", None, **_named(field))
