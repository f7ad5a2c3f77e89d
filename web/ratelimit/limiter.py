"""Rate limiter: counts requests in fixed windows and refuses those over a quota with 429.

Callers in the order of a request, and what each counts:

    server.protocol        malformed_request_headers   a malformed request, per address
    application            check_address               every request, per address, before any other check
    operation_middleware   count_auth_failure          a 401, per address, in a separate quota
    operation_middleware   check_credential            an authenticated request, per API key or user
    operation_middleware   check_token                 a public request with a token in its path, per token

Addresses and tokens are counted in this process: a request costs no access to Redis before it is authenticated.
Credentials and authentication failures are counted in Redis if it is configured, so that all workers share a count.
While Redis is unavailable, each worker counts in memory (fails open), and `is_degraded` reports that to the metrics.
Each count stores its encoded headers in the request context, and the last one is sent.
What may not happen: an outage of Redis refuses a request, or a request is counted twice in one quota.
Decisions 40 and 41.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from web.exceptions import RateLimited
from web.ratelimit.client_address import TrustedProxies, rate_limit_key
from web.ratelimit.counters import RedisCounter, Window
from web.ratelimit.quotas import ADDRESS, AUTH_FAILURES, OFF, TOKEN, Quota, seconds_until

if TYPE_CHECKING:
    from models.access import Caller
    from web.context import RequestContext
    from web.contract.operations import Operation
    from web.contract.reading import OperationObject

MAX_KEY_QUOTAS = 256
"""The rates of keys with a limit of their own whose counters are kept; the one used least recently starts again."""


class RateLimiter:
    """Counts requests per address in this process, and per credential in Redis if it is configured."""

    def __init__(
        self,
        quotas: Mapping[str, Quota],
        operations: Iterable[OperationObject],
        proxies: TrustedProxies,
        shared: RedisCounter | None,
    ) -> None:
        self._quotas = quotas
        self._address = quotas.get(ADDRESS)
        self._by_path = {o.path.encode(): quotas.get(o.node["x-rate-limit"]) for o in operations if o.is_public}
        self._trusted_proxies = proxies
        self._shared = shared
        self._token_key = secrets.token_bytes(32)
        self._quota_of_key = lru_cache(MAX_KEY_QUOTAS)(lambda name, rate: quotas[name].with_rate(rate))
        self.rejected = dict.fromkeys(quotas, 0)

    @property
    def is_degraded(self) -> bool:
        """Whether this worker counts in memory because Redis is unavailable."""
        return self._shared is not None and self._shared.unavailable

    def reset(self) -> None:
        """Forgets what this process has counted."""
        self._quota_of_key.cache_clear()
        for quota in self._quotas.values():
            quota.counter.reset()

    def check_address(self, context: RequestContext) -> tuple[Quota, Window] | None:
        """Counts a request against its address; returns the quota and window that it exceeds, or None."""
        quota = self._by_path.get(context.path, self._address)
        if quota is None:
            return None
        window = quota.counter.count(self._trusted_proxies.client_address(context.scope), context.arrived)
        context.rate_limit_headers = quota.headers(window)
        return (quota, window) if window.count > quota.requests else None

    def malformed_request_headers(self, peer: str) -> bytes:
        """Counts a malformed request against its address; returns the rate-limit headers for its error response."""
        quota = self._address
        if quota is None:
            return b""
        return quota.headers(quota.counter.count(rate_limit_key(peer), time.time()))

    def error(self, quota: Quota, window: Window, context: RequestContext) -> RateLimited:
        """The error of a request over a quota."""
        self.rejected[quota.name] += 1
        if quota.per == ADDRESS:
            self._trusted_proxies.warn_once(context.scope)
        wait = seconds_until(window)
        message = f"Rate limit exceeded for this {quota.per}"
        return RateLimited(message, {"retry-after": str(wait)}, retry_after=wait)

    def check_credential(self, operation: Operation, context: RequestContext, caller: Caller) -> Awaitable[None] | None:
        """Counts a request against its credential; returns an awaitable if Redis counts. Raises RateLimited."""
        quota = self._quotas.get(operation.quota)
        if quota is not None and caller.rate_limit is not None:
            quota = None if caller.rate_limit == OFF else self._quota_of_key(operation.quota, caller.rate_limit)
        if quota is None:
            return None
        client = caller.key_id or caller.user_id
        if self._shared is not None:
            return self._count_shared(context, quota, client)
        self._require_within_quota(context, quota, quota.counter.count(client, context.arrived))
        return None

    def check_token(self, operation: Operation, context: RequestContext) -> None:
        """Counts a request against the token in its path, whether or not there is such a token. Raises RateLimited."""
        quota = self._quotas.get(operation.token_quota)
        if quota is not None:
            token = blake2b(context.path_values[TOKEN].encode(), digest_size=16, key=self._token_key).hexdigest()
            self._require_within_quota(context, quota, quota.counter.count(token, context.arrived))

    async def count_auth_failure(self, context: RequestContext) -> None:
        """Counts an authentication failure against its address. Raises RateLimited, which replaces the 401."""
        quota = self._quotas.get(AUTH_FAILURES)
        if quota is not None:
            await self._count_shared(context, quota, self._trusted_proxies.client_address(context.scope))

    async def _count_shared(self, context: RequestContext, quota: Quota, client: str) -> None:
        window = None
        if self._shared is not None:
            window = await self._shared.count(quota.name, client, quota.seconds, context.arrived)
        self._require_within_quota(context, quota, window or quota.counter.count(client, context.arrived))

    def _require_within_quota(self, context: RequestContext, quota: Quota, window: Window) -> None:
        context.rate_limit_headers = quota.headers(window)
        if window.count > quota.requests:
            raise self.error(quota, window, context)
