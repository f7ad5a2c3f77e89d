"""Client addresses behind trusted proxies: every spelling of an address is one client, and so are all non-addresses."""

from ipaddress import IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.ratelimit.client_address import MAX_HOPS, UNKNOWN, Address, TrustedProxies, rate_limit_key
from web.ratelimit.counters import FixedWindowCounter

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8:ffff::/48", "::ffff:192.168.0.0/112"])
CLIENT, NETWORK = "203.0.113.9", "2001:db8::/64"
SPELLINGS = {
    CLIENT: CLIENT,
    f"{CLIENT}:40000": CLIENT,
    f"{CLIENT}:": CLIENT,
    f"{CLIENT}:_port": CLIENT,
    f'"{CLIENT}:40000"': CLIENT,
    f"[{CLIENT}]:40000": CLIENT,
    f"::ffff:{CLIENT}": CLIENT,
    f"[::ffff:{CLIENT}]:443": CLIENT,
    "::FFFF:cb00:7109": CLIENT,
    "203.000.113.009": CLIENT,
    "0203.0.0113.0009": CLIENT,
    "::ffff:203.000.113.009": CLIENT,
    "2001:db8::1": NETWORK,
    "2001:DB8:0:0:ffff::1": NETWORK,
    "[2001:db8::1]": NETWORK,
    "[2001:db8::1]:443": NETWORK,
    '"[2001:db8::1]:443"': NETWORK,
    "2001:db8::1%eth0": NETWORK,
    "[2001:db8::1%25eth0]:443": NETWORK,
    "fe80::1%eth0": "fe80::/64",
    "fe80::2%eth1": "fe80::/64",
    **dict.fromkeys(
        ["unknown", "unknown1", "_hidden", "client.example", "203.0.113", "203.0.113.256", "203.0.113.9.1",
         "0xcb007109", "3405803785", "203.0.113.9/32", "203.0.113.9 40000", "[2001:db8::1", "2001:db8::1]:443",
         "2001:db8:::1", "[]", ":", "\u00b2\u00b9.1.1.1", "9" * 200, "0" * 127 + "1.1.1.1", CLIENT + ":" + "4" * 200],
        UNKNOWN,
    ),
}  # fmt: skip


def client(*fields: tuple[str, str], peer: tuple[str, int] | None = ("10.0.0.1", 50000)) -> str:
    """The rate limit key of a request with these header fields."""
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
    return PROXIES.client_address({"client": peer, "headers": headers})


@pytest.mark.parametrize("hop", SPELLINGS)
def test_hop_of_x_forwarded_for_is_normalized(hop: str) -> None:
    assert client(("X-Forwarded-For", hop)) == SPELLINGS[hop]


@pytest.mark.parametrize("hop", [hop for hop in SPELLINGS if '"' not in hop])
def test_hop_of_forwarded_is_normalized(hop: str) -> None:
    escaped = "".join(f"\\{char}" for char in hop)
    for value in (f'for="{hop}"', f'For="{escaped}"; proto=https', f'by=_proxy;for="{hop}";host="a,for=192.0.2.1"'):
        assert client(("Forwarded", value)) == SPELLINGS[hop]


@pytest.mark.parametrize(
    ("peer", "key"),
    [(None, UNKNOWN), (("", 0), UNKNOWN), (("203.0.113.9", 1), CLIENT), (("::ffff:203.0.113.9", 1), CLIENT),
     (("2001:db8::9", 1), NETWORK), (("fe80::1%eth0", 1), "fe80::/64")],
)  # fmt: skip
def test_peer_is_normalized_and_its_headers_are_ignored_unless_it_is_trusted(
    peer: tuple[str, int] | None, key: str
) -> None:
    assert client(("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.1"), peer=peer) == key


@pytest.mark.parametrize(
    "trusted",
    ["10.0.0.2", "10.0.0.2:443", "[10.0.0.2]:443", "::ffff:10.0.0.2", "010.000.0.02", "[2001:db8:ffff::1]:443",
     "2001:db8:ffff::1%eth0", "192.168.0.1", "::ffff:192.168.0.1"],
)  # fmt: skip
def test_trusted_hop_is_recognized_in_every_spelling(trusted: str) -> None:
    assert client(("X-Forwarded-For", f"192.0.2.1, {CLIENT}:1, {trusted}")) == CLIENT
    assert client(("Forwarded", f'for=192.0.2.1, for="{CLIENT}:1", for="{trusted}"')) == CLIENT
    assert client(("X-Forwarded-For", CLIENT), peer=(trusted.strip("[]").partition("]")[0], 1)) in {CLIENT, UNKNOWN}


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        # The nearest hop that is not trusted counts; what stands before it comes from the client.
        ([("X-Forwarded-For", f"192.0.2.1, {CLIENT}")], CLIENT),
        ([("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", CLIENT)], CLIENT),
        ([("X-Forwarded-For", f"192.0.2.1,, {CLIENT}, ,")], CLIENT),
        ([("X-Forwarded-For", f"{CLIENT}, unknown")], UNKNOWN),
        # All hops are trusted, or there is none: the peer.
        ([("X-Forwarded-For", "10.1.1.1, 10.2.2.2")], "10.0.0.1"),
        ([("X-Forwarded-For", CLIENT + ", 10.1.1.1" * MAX_HOPS)], "10.0.0.1"),
        ([("X-Forwarded-For", CLIENT + ", 10.1.1.1" * (MAX_HOPS - 1))], CLIENT),
        ([("X-Forwarded-For", " , ")], "10.0.0.1"),
        ([], "10.0.0.1"),
        # X-Forwarded-For wins over Forwarded.
        ([("Forwarded", "for=192.0.2.1"), ("X-Forwarded-For", CLIENT)], CLIENT),
        ([("Forwarded", f"for=192.0.2.1;proto=http, for={CLIENT};by=203.0.113.1")], CLIENT),
        ([("Forwarded", "for=192.0.2.1"), ("Forwarded", f"for={CLIENT}")], CLIENT),
        ([("Forwarded", f"for={CLIENT}:40000")], CLIENT),
        ([("Forwarded", "for=[2001:db8::1]:443")], NETWORK),
        # The client cannot hide the element of the proxy, nor forge one by its Host.
        ([("Forwarded", f'for="192.0.2.1, for={CLIENT}')], UNKNOWN),
        ([("Forwarded", f'for=192.0.2.1;x=", for={CLIENT};host="h"')], UNKNOWN),
        ([("Forwarded", f'for={CLIENT};host="a,for=192.0.2.1;x="')], CLIENT),
        ([("Forwarded", "for=192.0.2.1, proto=https")], UNKNOWN),
        ([("Forwarded", "for=192.0.2.1, ")], UNKNOWN),
        ([("Forwarded", "for=192.0.2.1 for=192.0.2.2")], UNKNOWN),
        ([("Forwarded", "nonsense")], UNKNOWN),
        ([("Forwarded", f"for={CLIENT}" + ";x=y" * 2000)], UNKNOWN),
    ],
)
def test_client_is_the_nearest_hop_that_is_not_trusted(fields: list[tuple[str, str]], key: str) -> None:
    assert client(*fields) == key


ADDRESSES = st.ip_addresses()
PORTS = st.sampled_from(["", ":", ":80", ":65535", ":_obfuscated"])


@st.composite
def decorated(draw: st.DrawFn, address: Address) -> str:
    """A spelling of the address."""
    if isinstance(address, IPv6Address):
        text = draw(st.sampled_from([address.compressed, address.exploded, address.compressed.upper()]))
        zone = draw(st.sampled_from(["", "%1", "%25eth0"]))
        return draw(st.sampled_from([f"{text}{zone}", f"[{text}{zone}]{draw(PORTS)}"]))
    text = ".".join("0" * draw(st.integers(0, 3)) + octet for octet in str(address).split("."))
    mapped = draw(st.sampled_from(["::ffff:", "0:0:0:0:0:FFFF:"]))
    return draw(st.sampled_from([f"{text}{draw(PORTS)}", f"[{mapped}{text}]{draw(PORTS)}", f"{mapped}{text}"]))


@given(st.data(), ADDRESSES)
def test_any_decoration_of_one_address_is_one_client(data: st.DataObject, address: Address) -> None:
    plain = str(address)
    spelling = data.draw(decorated(address))
    quoted = data.draw(st.sampled_from(["{}", '"{}"', ' "{}"\t', " {} "])).format(spelling)
    assert rate_limit_key(spelling) == rate_limit_key(plain) != UNKNOWN
    expected = client(("X-Forwarded-For", f"192.0.2.1, {plain}"))
    assert client(("X-Forwarded-For", f"192.0.2.1, {quoted}")) == expected
    assert client(("Forwarded", f'for=192.0.2.1, for="{spelling}"')) == expected


@given(ADDRESSES, ADDRESSES)
def test_different_addresses_are_different_clients(one: Address, other: Address) -> None:
    def group(address: Address) -> object:
        if isinstance(address, IPv6Address):
            return address.ipv4_mapped or ip_network((address, 64), strict=False)
        return address

    assert (rate_limit_key(str(one)) == rate_limit_key(str(other))) == (group(one) == group(other))


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_any_text_is_one_address_or_unknown(text: str) -> None:
    for name in ("X-Forwarded-For", "Forwarded"):
        key = client((name, text))
        assert key == UNKNOWN or str(ip_network(key)).removesuffix("/32") == key


def test_counter_forgets_the_clients_counted_least_recently() -> None:
    counter, most = FixedWindowCounter(60, 100), 100
    for number in range(1_000):
        assert counter.count(f"new {number}", 0.0).count == 1
        assert counter.count("busy", 0.0).count == number + 1, "a client that is counted often keeps its window"
    assert counter.count("new 999", 0.0).count == 2
    assert counter.count(f"new {999 - most // 2}", 0.0).count == 2
    assert counter.count(f"new {999 - 2 * most}", 0.0).count == 1
