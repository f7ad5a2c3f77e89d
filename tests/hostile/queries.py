"""Malformed query strings and parameter values."""

from tools.testing.cases import (
    INVALID,
    LIST,
    LIVE,
    MALFORMED,
    MARK,
    OK,
    ONE,
    TRACKS,
    Case,
    Outcome,
    case,
    get,
    mine,
    shown,
)

_NUMBERS = [
    b"", b"a", b"1a", b"1_0", b"%205", b"5%20", b"+5", b"%2b5", b"-1", b"-0", b"0", b"05", b"0x5", b"0b1", b"0o7",
    b"1e1", b"1.0", b"5.", b".5", b"NaN", b"Infinity", b"null", b"true",
    b"%d9%a5", b"%ef%bc%95", b"%c2%b2", b"5%0a", b"5%00", b"5,5", b"5;5", b"[5]", b"101", b"2147483648",
    b"9223372036854775808", b"9" * 5000, MARK, b"%27%20OR%201=1", b"%F0%9F%8E%B5",
]  # fmt: skip


def _limit(value: bytes) -> Case:
    outcome = Outcome(400, "MALFORMED_REQUEST", closes=True) if b"[" in value else INVALID
    return case(f"limit={shown(value)}", outcome, mine(LIST + b"?limit=" + value))


CASES = [
    *(_limit(value) for value in _NUMBERS),
    *(case(f"offset={shown(value)}", INVALID, mine(LIST + b"?offset=" + value)) for value in (b"", b"-1", b"a",
        b"2147483648", b"9" * 30, b"1_000", b"%d9%a5", b"1.0")),
    case("offset=-0, which is no valid integer", INVALID, mine(LIST + b"?offset=-0")),
    case("the greatest offset", OK, mine(LIST + b"?offset=2147483647")),
    case("the greatest offset of tracks", OK, mine(TRACKS + b"?offset=2147483647&limit=500")),
    case("501 tracks", INVALID, mine(TRACKS + b"?limit=501")),
    case("100 collections", OK, mine(LIST + b"?limit=100")),
    case("a number in escapes", OK, mine(LIST + b"?%6cimit=%35")),
    case("twice the same", INVALID, mine(LIST + b"?limit=5&limit=5")),
    case("twice, one of them empty", INVALID, mine(LIST + b"?limit=&limit=5")),
    case("twice, one of them in escapes", INVALID, mine(LIST + b"?limit=5&%6cimit=6")),
    case("a list in brackets", INVALID, mine(LIST + b"?limit%5B%5D=5")),
    case("a member in brackets", INVALID, mine(LIST + b"?limit%5Ba%5D=5")),
    case("another spelling", INVALID, mine(LIST + b"?Limit=5")),
    case("a name without a value", INVALID, mine(LIST + b"?limit")),
    case("a value without a name", INVALID, mine(LIST + b"?=5")),
    case("only an ampersand", OK, mine(LIST + b"?&")),
    case("a query of nothing", OK, mine(LIST + b"?")),
    case("a question mark more", INVALID, mine(LIST + b"??limit=5")),
    case("a semicolon does not part", INVALID, mine(LIST + b"?limit=5;offset=1")),
    case("an unknown parameter", INVALID, mine(LIST + b"?" + MARK + b"=1")),
    case("an unknown parameter of a long name", INVALID, mine(LIST + b"?" + MARK * 500 + b"=1")),
    case("an unknown parameter with a control character", INVALID, mine(LIST + b"?%01%1f%7f%c2%85=1")),
    case("an unknown parameter with a line feed", INVALID, mine(LIST + b"?a%0d%0aSet-Cookie:%20a=1")),
    case("an unknown parameter that looks like a path", INVALID, mine(LIST + b"?../../etc=1")),
    case("an unknown parameter in another script", INVALID, mine(LIST + b"?%E2%80%AE%F0%9F%8E%B5=1")),
    case("an unknown parameter of one item", INVALID, mine(ONE + b"?limit=5")),
    case("an unknown parameter of the liveness", INVALID, get(LIVE + b"?verbose=1")),
    case("an unknown parameter of the contract", INVALID, get(b"/v1/openapi.json?" + MARK)),
    case("another parameter beside a wrong one: both are reported", INVALID, mine(LIST + b"?limit=0&offset=-1&x=1")),
    case("parameters that attack a prototype", INVALID, mine(LIST + b"?__proto__%5Ba%5D=1&constructor=1")),
    case("64 parameters", INVALID, mine(LIST + b"?" + b"&".join([b"a=1"] * 64))),
    case("65 parameters", MALFORMED, mine(LIST + b"?" + b"&".join([b"a=1"] * 65))),
    case("4,000 parameters", MALFORMED, mine(LIST + b"?" + b"a&" * 4000)),
    *(
        case(f"the escape {shown(value)}", MALFORMED, mine(LIST + b"?limit=" + value))
        for value in (b"%", b"%5", b"%zz", b"%u0035", b"5%", b"%-5", b"%80", b"%ff", b"%c0%b5", b"%ed%a0%80",
        b"%f5%80%80%80", b"%e2%28%a1", b"%C3")
    ),
    case("a bad escape in a name", MALFORMED, mine(LIST + b"?%zz=1")),
    case("a bad escape in a public query", MALFORMED, get(LIVE + b"?%zz=1")),
]  # fmt: skip
