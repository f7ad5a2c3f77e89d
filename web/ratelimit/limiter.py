"""How often a caller may ask: the contract's quotas, of credentials and of addresses."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Iterable, Mapping
from math import ceil
from typing import TYPE_CHECKING, Any

from limits import parse

from web.exceptions import RateLimited
from web.number_cache import FormattedNumbers
from web.ratelimit.counters import FixedWindowCounter, RedisCounter, Window

if TYPE_CHECKING:
    from models.access import Caller
    from web.context import RequestContext
    from web.contract.operations import Operation
    from web.ratelimit.client_address import TrustedProxies

OFF = "off"
ADDRESS, CREDENTIAL, AUTH_FAILURES = "address", "credential", "refusals"


class Quota:
    """So many requests in a window of so many seconds; `per` says of whom."""

    __slots__ = ("_header_template", "counter", "name", "per", "requests", "seconds")

    def __init__(self, name: str, per: str, requests: int, seconds: int) -> None:
        self.name = name
        self.per = per
        self.requests = requests
        self.seconds = seconds
        self.counter = FixedWindowCounter(seconds)
        # The documented fields and those of draft-ietf-httpapi-ratelimit-headers as they are sent: the end of a
        # window is filled in first, and what is left of it later.
        lines = (
            f"x-ratelimit-limit: {requests}\r\nx-ratelimit-remaining: %%d\r\nx-ratelimit-reset: %d\r\n"
            f'ratelimit-policy: "{name}";q={requests};w={seconds}\r\nratelimit: "{name}";r=%%d;t=%%d\r\n'
        )
        self._header_template = FormattedNumbers(lines.encode().__mod__)

    def headers(self, window: Window) -> bytes:
        """What the header of an answer says of it."""
        left = self.requests - window.count if self.requests > window.count else 0
        return self._header_template[window.ends] % (left, left, seconds_until(window))

    def with_rate(self, rule: str) -> Quota:
        """The same quota with another rule, such as `1000/minute`."""
        item = parse(rule)
        return Quota(self.name, self.per, item.amount, item.get_expiry())


# A quota, and how much of it was used.
QuotaState = tuple[Quota, Window]


def seconds_until(window: Window) -> int:
    """Whole seconds until a window is over, one at least."""
    left = ceil(window.ends - time.time())
    return left if left > 0 else 1


class RateLimiter:
    """Counts requests: of an address in this process, of credentials and refusals where all workers see them."""

    def __init__(
        self,
        quotas: Mapping[str, Quota],
        operations: Iterable[Operation],
        proxies: TrustedProxies,
        shared: RedisCounter | None,
    ) -> None:
        self._quotas = quotas
        self._address = quotas.get(ADDRESS)
        self._by_path = {o.path.encode(): quotas.get(o.quota) for o in operations if o.public}
        self._trusted_proxies = proxies
        self._shared = shared
        self._key_quotas: dict[tuple[str, str], Quota] = {}
        self.rejected = dict.fromkeys(quotas, 0)

    @property
    def is_degraded(self) -> bool:
        """Whether this worker has to count for itself, though it should not."""
        return self._shared is not None and self._shared.unavailable

    def check_address(self, context: RequestContext) -> bool:
        """Counts a request of its address, before anything else of it is looked at; whether it is one too many."""
        quota = self._by_path.get(context.path, self._address)
        if quota is None:
            return False
        window = quota.counter.count(self._trusted_proxies.client_address(context.scope), context.arrived)
        context.quota_state = quota, window
        return window.count > quota.requests

    def malformed_request_headers(self, peer: str) -> bytes:
        """Counts what never became a request; the lines of its answer's header about what is left to its address."""
        quota = self._address
        return (
            b""
            if quota is None
            else quota.headers(quota.counter.count(self._trusted_proxies.rate_limit_key(peer), time.time()))
        )

    def error(self, context: RequestContext) -> RateLimited:
        """The failure of a request that is one too many."""
        if context.quota_state is None:
            raise RuntimeError("A request that is one too many was not counted")
        quota, window = context.quota_state
        self.rejected[quota.name] += 1
        if quota.per == ADDRESS:
            self._trusted_proxies.warn_once(context.scope)
        wait = seconds_until(window)
        return RateLimited(f"The quota of this {quota.per} is spent", {"retry-after": str(wait)}, retry_after=wait)

    def check_credential(self, context: RequestContext, caller: Caller) -> Awaitable[None] | None:
        """Counts a request of its credential; what has to be awaited where all workers count. Raises RateLimited."""
        quota = self._quotas.get(context.operation.quota)
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
        context.quota_state = quota, window
        if window.count > quota.requests:
            raise self.error(context)

    def _key_quota(self, quota: Quota, rule: str) -> Quota | None:
        if rule == OFF:
            return None
        if (quota.name, rule) not in self._key_quotas:
            self._key_quotas[quota.name, rule] = quota.with_rate(rule)
        return self._key_quotas[quota.name, rule]


def quotas(document: Mapping[str, Any], rules: Mapping[str, str]) -> dict[str, Quota]:
    """The contract's quotas by name; `rules` are the operator's for a name or for credentials, and `off` leaves out."""
    found = {}
    for name, node in document.get("x-rate-limits", {}).items():
        rule = rules.get(CREDENTIAL if node["per"] == CREDENTIAL else name)
        quota = Quota(name, node["per"], node["requests"], node["seconds"])
        if rule != OFF:
            found[name] = quota.with_rate(rule) if rule else quota
    return found
