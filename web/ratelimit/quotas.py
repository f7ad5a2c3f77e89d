"""Quotas of the contract with the operator's rates, and their rate-limit headers.

Decision 40.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import ceil
from typing import Any

from web.number_cache import FormattedNumbers
from web.ratelimit.counters import FixedWindowCounter, Window

OFF = "off"
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
ADDRESS, CREDENTIAL, AUTH_FAILURES = "address", "credential", "refusals"
TOKEN, SHARES = "token", "shares"
# Strangers choose addresses and tokens: whoever has 16,384 of them has as many quotas, and a higher limit would only
# cost memory. Credentials are those of the database.
MAX_CLIENTS = {ADDRESS: 16_384, CREDENTIAL: 262_144, TOKEN: 16_384}


class Quota:
    """A number of requests in a window of seconds; `per` is `address`, `credential` or `token`."""

    __slots__ = ("_header_template", "counter", "name", "per", "requests", "seconds")

    def __init__(self, name: str, per: str, requests: int, seconds: int) -> None:
        self.name = name
        self.per = per
        self.requests = requests
        self.seconds = seconds
        self.counter = FixedWindowCounter(seconds, MAX_CLIENTS[per])
        # The X-RateLimit-* headers and those of draft-ietf-httpapi-ratelimit-headers, encoded. The end of the window is
        # filled in once per window, the remaining requests and seconds with each response.
        template = (
            f"x-ratelimit-limit: {requests}\r\nx-ratelimit-remaining: %%d\r\nx-ratelimit-reset: %d\r\n"
            f'ratelimit-policy: "{name}";q={requests};w={seconds}\r\nratelimit: "{name}";r=%%d;t=%%d\r\n'
        )
        self._header_template = FormattedNumbers(template.encode().__mod__)

    def headers(self, window: Window) -> bytes:
        """The encoded rate-limit headers of a response."""
        left = self.requests - window.count if self.requests > window.count else 0
        return self._header_template[window.ends] % (left, left, seconds_until(window))

    def with_rate(self, rate: str) -> Quota:
        """The same quota with another rate, such as `1000/minute`."""
        requests, _, unit = rate.partition("/")
        return Quota(self.name, self.per, int(requests), SECONDS[unit])


def seconds_until(window: Window) -> int:
    """Whole seconds until a window ends, at least 1."""
    left = ceil(window.ends - time.time())
    return left if left > 0 else 1


def quotas(document: Mapping[str, Any], rates: Mapping[str, str]) -> dict[str, Quota]:
    """The contract's quotas by name. `rates` are the operator's, by quota name or `credential`; `off` omits a quota."""
    enabled = {}
    for name, node in document.get("x-rate-limits", {}).items():
        rate = rates.get(CREDENTIAL if node["per"] == CREDENTIAL else name)
        quota = Quota(name, node["per"], node["requests"], node["seconds"])
        if rate != OFF:
            enabled[name] = quota.with_rate(rate) if rate else quota
    return enabled
