"""How often a caller may ask: the contract's quotas, of credentials and of addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from limits import parse

from edge.counters import Book, Count, Shared
from edge.errors import RateLimited

if TYPE_CHECKING:
    from edge.addresses import Proxies
    from edge.exchange import Exchange
    from edge.operations import Operation
    from models.access import Caller

Field = tuple[bytes, bytes]
OFF = "off"
ADDRESS, CREDENTIAL, REFUSALS = "address", "credential", "refusals"


class Quota:
    """So many requests in a window of so many seconds; `per` says of whom."""

    __slots__ = ("book", "fixed", "name", "per", "requests", "seconds", "state")

    def __init__(self, name: str, per: str, requests: int, seconds: int) -> None:
        self.name = name
        self.per = per
        self.requests = requests
        self.seconds = seconds
        self.book = Book(seconds)
        policy = f'"{name}";q={requests};w={seconds}'.encode()
        self.fixed = (b"x-ratelimit-limit", b"%d" % requests), (b"ratelimit-policy", policy)
        self.state = f'"{name}";r=%d;t=%d'.encode()

    def so_often(self, rule: str) -> Quota:
        """The same quota with another rule, such as `1000/minute`."""
        item = parse(rule)
        return Quota(self.name, self.per, item.amount, item.get_expiry())


# A quota, and the Count of it.
Allowance = tuple[Quota, int, int, int]


def fields(allowance: Allowance) -> tuple[Field, ...]:
    """What an answer says of it: the documented fields and those of draft-ietf-httpapi-ratelimit-headers."""
    quota, count, ends, wait = allowance
    left = quota.requests - count if count < quota.requests else 0
    limit, policy = quota.fixed
    return (limit, (b"x-ratelimit-remaining", b"%d" % left), (b"x-ratelimit-reset", b"%d" % ends), policy,
            (b"ratelimit", quota.state % (left, wait)))  # fmt: skip


class Limits:
    """Counts requests: of an address in this process, of credentials and refusals where all workers see them."""

    def __init__(
        self, quotas: Mapping[str, Quota], operations: Iterable[Operation], proxies: Proxies, shared: Shared | None
    ) -> None:
        self._quotas = quotas
        self._address = quotas.get(ADDRESS)
        self._by_path = {o.path.encode(): quotas.get(o.quota) for o in operations if o.public}
        self._proxies = proxies
        self._shared = shared
        self._own: dict[tuple[str, str], Quota] = {}
        self.refused = dict.fromkeys(quotas, 0)

    @property
    def alone(self) -> bool:
        """Whether this worker has to count for itself, though it should not."""
        return self._shared is not None and self._shared.away

    def arrive(self, exchange: Exchange) -> None:
        """Counts a request of its address, before anything else of it is looked at."""
        quota = self._by_path.get(exchange.path, self._address)
        if quota is not None:
            exchange.allowance = (quota, *quota.book.count(self._proxies.client(exchange.scope)))

    def unheard(self, peer: str) -> tuple[Field, ...]:
        """Counts what never became a request, and says what is left to its address."""
        quota = self._address
        return () if quota is None else fields((quota, *quota.book.count(self._proxies.grouped(peer))))

    def demand(self, exchange: Exchange) -> None:
        """Raises RateLimited when more was asked than the exchange's quota allows."""
        if exchange.allowance is None:
            return
        quota, count, _, wait = exchange.allowance
        if count <= quota.requests:
            return
        self.refused[quota.name] += 1
        if quota.per == ADDRESS:
            self._proxies.explain(exchange.scope)
        raise RateLimited(f"The quota of this {quota.per} is spent", {"retry-after": str(wait)}, retry_after=wait)

    async def admit(self, exchange: Exchange, caller: Caller) -> None:
        """Counts a request of its credential. Raises RateLimited."""
        quota = self._quotas.get(exchange.operation.quota)
        if quota is not None and caller.rate_limit is not None:
            quota = self._of_its_own(quota, caller.rate_limit)
        if quota is None:
            return
        who = caller.key_id or caller.user_id
        count = quota.book.count(who) if self._shared is None else await self._counted_by_all(quota, who)
        exchange.allowance = (quota, *count)
        self.demand(exchange)

    async def refuse(self, exchange: Exchange) -> None:
        """Counts a refused credential of its address. Raises RateLimited, in the place of the refusal."""
        quota = self._quotas.get(REFUSALS)
        if quota is not None:
            count = await self._counted_by_all(quota, self._proxies.client(exchange.scope))
            exchange.allowance = (quota, *count)
            self.demand(exchange)

    async def _counted_by_all(self, quota: Quota, who: str) -> Count:
        count = None if self._shared is None else await self._shared.count(quota.name, who, quota.seconds)
        return quota.book.count(who) if count is None else count

    def _of_its_own(self, quota: Quota, rule: str) -> Quota | None:
        if rule == OFF:
            return None
        if (quota.name, rule) not in self._own:
            self._own[quota.name, rule] = quota.so_often(rule)
        return self._own[quota.name, rule]


def quotas(document: Mapping[str, Any], rules: Mapping[str, str]) -> dict[str, Quota]:
    """The contract's quotas by name; `rules` are the operator's for a name or for credentials, and `off` leaves out."""
    found = {}
    for name, node in document.get("x-rate-limits", {}).items():
        rule = rules.get(CREDENTIAL if node["per"] == CREDENTIAL else name)
        quota = Quota(name, node["per"], node["requests"], node["seconds"])
        if rule != OFF:
            found[name] = quota.so_often(rule) if rule else quota
    return found
