"""The rate limiter: counts requests in fixed windows and refuses with 429 what is over a quota.

Who calls it, in this order, and what is counted:

    server.protocol        malformed_request_headers   a request that never became one, of its address
    application            check_address               every request, of its address, before anything else is looked at
    operation_middleware   count_auth_failure          a 401, of its address, in a quota of its own
    operation_middleware   check_credential            a request whose caller is known, of its key or its user

Addresses are counted in this process: no store is asked before a request is known to be worth it. Credentials and
failures to authenticate are counted in Redis where one is configured, so that all workers share a count; while Redis is
unavailable each worker counts for itself (fails open), and `is_degraded` says so to the metrics. Whatever counts last
leaves its headers in the request context, finished, so that nothing has to be looked up when the response is sent.
What may not happen: that a failure of the store refuses a request, or that a request is counted twice in one quota.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING

from web.exceptions import RateLimited
from web.ratelimit.counters import RedisCounter, Window
from web.ratelimit.quotas import ADDRESS, AUTH_FAILURES, OFF, Quota, seconds_until

if TYPE_CHECKING:
    from models.access import Caller
    from web.context import RequestContext
    from web.contract.operations import Operation
    from web.contract.reading import OperationObject
    from web.ratelimit.client_address import TrustedProxies


class RateLimiter:
    """Counts requests: of an address in this process, of credentials and failures where all workers see them."""

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
        self._key_quotas: dict[tuple[str, str], Quota] = {}
        self.rejected = dict.fromkeys(quotas, 0)

    @property
    def is_degraded(self) -> bool:
        """Whether this worker counts for itself because the shared store is unavailable."""
        return self._shared is not None and self._shared.unavailable

    def check_address(self, context: RequestContext) -> tuple[Quota, Window] | None:
        """Counts a request of its address; the quota and window that it exceeds, or None."""
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
        return quota.headers(quota.counter.count(self._trusted_proxies.rate_limit_key(peer), time.time()))

    def error(self, quota: Quota, window: Window, context: RequestContext) -> RateLimited:
        """The failure of a request over a quota."""
        self.rejected[quota.name] += 1
        if quota.per == ADDRESS:
            self._trusted_proxies.warn_once(context.scope)
        wait = seconds_until(window)
        message = f"Rate limit exceeded for this {quota.per}"
        return RateLimited(message, {"retry-after": str(wait)}, retry_after=wait)

    def check_credential(self, operation: Operation, context: RequestContext, caller: Caller) -> Awaitable[None] | None:
        """Counts a request of its credential; to be awaited where a store is asked. Raises RateLimited."""
        quota = self._quotas.get(operation.quota)
        if quota is not None and caller.rate_limit is not None:
            quota = self._key_quota(quota, caller.rate_limit)
        if quota is None:
            return None
        who = caller.key_id or caller.user_id
        if self._shared is not None:
            return self._count_shared(context, quota, who)
        self._require_left(context, quota, quota.counter.count(who, context.arrived))
        return None

    async def count_auth_failure(self, context: RequestContext) -> None:
        """Counts a refused credential of its address. Raises RateLimited, in the place of the refusal."""
        quota = self._quotas.get(AUTH_FAILURES)
        if quota is not None:
            await self._count_shared(context, quota, self._trusted_proxies.client_address(context.scope))

    async def _count_shared(self, context: RequestContext, quota: Quota, who: str) -> None:
        window = None
        if self._shared is not None:
            window = await self._shared.count(quota.name, who, quota.seconds, context.arrived)
        self._require_left(context, quota, window or quota.counter.count(who, context.arrived))

    def _require_left(self, context: RequestContext, quota: Quota, window: Window) -> None:
        context.rate_limit_headers = quota.headers(window)
        if window.count > quota.requests:
            raise self.error(quota, window, context)

    def _key_quota(self, quota: Quota, rule: str) -> Quota | None:
        if rule == OFF:
            return None
        if (quota.name, rule) not in self._key_quotas:
            self._key_quotas[quota.name, rule] = quota.with_rate(rule)
        return self._key_quotas[quota.name, rule]
