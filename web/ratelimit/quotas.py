"""The quotas of the contract, as the operator wants them, and the rate-limit headers of each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import ceil
from typing import Any

from limits import parse

from web.number_cache import FormattedNumbers
from web.ratelimit.counters import FixedWindowCounter, Window

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


def seconds_until(window: Window) -> int:
    """Whole seconds until a window is over, one at least."""
    left = ceil(window.ends - time.time())
    return left if left > 0 else 1


def quotas(document: Mapping[str, Any], rules: Mapping[str, str]) -> dict[str, Quota]:
    """The contract's quotas by name; `rules` are the operator's for a name or for credentials, and `off` leaves out."""
    found = {}
    for name, node in document.get("x-rate-limits", {}).items():
        rule = rules.get(CREDENTIAL if node["per"] == CREDENTIAL else name)
        quota = Quota(name, node["per"], node["requests"], node["seconds"])
        if rule != OFF:
            found[name] = quota.with_rate(rule) if rule else quota
    return found
