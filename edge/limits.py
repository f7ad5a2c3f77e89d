"""How often a caller may ask: quotas per key, and per address for what carries no valid key."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from edge.errors import RateLimited


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a quota: `remaining` of `limit` in a `window` of seconds that ends at `resets_at` (Unix time)."""

    limit: int
    remaining: int
    window: int
    resets_at: float

    def wait(self) -> int:
        """Whole seconds until the quota is renewed, rounded up."""
        return max(0, math.ceil(self.resets_at - time.time()))

    def headers(self) -> dict[str, str]:
        """The documented fields and those of the IETF draft draft-ietf-httpapi-ratelimit-headers."""
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(math.ceil(self.resets_at)),
            "ratelimit-policy": f'"default";q={self.limit};w={self.window}',
            "ratelimit": f'"default";r={self.remaining};t={self.wait()}',
        }


class Quota:
    """Counts requests in fixed windows, in this process."""

    def __init__(self, rule: str) -> None:
        self._item: RateLimitItem | None = None if rule == "off" else parse(rule)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def spend(self, who: str) -> Allowance | None:
        """Takes one request off the quota of `who`; None when quotas are off. Raises RateLimited when none is left."""
        if self._item is None:
            return None
        allowed = self._limiter.hit(self._item, who)
        allowance = self.look(who)
        if not allowed and allowance is not None:
            wait = max(1, allowance.wait())
            refusal = RateLimited("The quota of this credential is spent", {"retry-after": str(wait)}, retry_after=wait)
            refusal.headers |= allowance.headers()
            raise refusal
        return allowance

    def look(self, who: str) -> Allowance | None:
        """What is left for `who`, without taking any."""
        if self._item is None:
            return None
        stats = self._limiter.get_window_stats(self._item, who)
        return Allowance(self._item.amount, stats.remaining, self._item.get_expiry(), stats.reset_time)
