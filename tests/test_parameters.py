"""Query string parsing and integer parameters."""

from urllib.parse import parse_qsl, quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.contract.parameters import MAX_PARAMETERS, Parameter, parse_query
from web.contract.schemas import ValidatorCache
from web.exceptions import MalformedRequest, Violation

TEXTS = st.text(st.characters(codec="utf-8"))
LIMIT = Parameter(
    {
        "in": "query",
        "name": "limit",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
    },
    ValidatorCache({}),
)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=MAX_PARAMETERS), st.sampled_from([quote, quote_plus]))
def test_percent_encoded_query_round_trips(given: list[tuple[str, str]], escape: object) -> None:
    written = "&".join(f"{escape(name)}={escape(value)}" for name, value in given)  # type: ignore[operator]
    assert list(parse_query(written.encode())) == given


@given(st.binary(max_size=60) | st.text("ab=&%2fF+;", max_size=30).map(str.encode))
def test_query_parser_agrees_with_parse_qsl_or_rejects(query: bytes) -> None:
    try:
        found = list(parse_query(query))
    except MalformedRequest:
        return
    assert found == parse_qsl(query.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict")


@pytest.mark.parametrize(
    "query", [b"%", b"a=%", b"a=%1", b"a=%zz", b"%zz=1", b"a=%80", b"a=%c0%af", b"a=%ed%a0%80", b"\xe9", b"a=\xc3\xa9"]
)
def test_invalid_escapes_and_bytes_are_rejected(query: bytes) -> None:
    with pytest.raises(MalformedRequest):
        list(parse_query(query))


def test_at_most_64_parameters_are_accepted() -> None:
    assert len(list(parse_query(b"&".join([b"a=1"] * MAX_PARAMETERS)))) == MAX_PARAMETERS
    with pytest.raises(MalformedRequest):
        list(parse_query(b"&".join([b"a=1"] * (MAX_PARAMETERS + 1))))


@given(st.integers(-(10**20), 10**20))
def test_integer_within_the_bounds_is_parsed(number: int) -> None:
    found: list[Violation] = []
    value = LIMIT.read([str(number)], found)
    assert (value == number and not found) == (1 <= number <= 100)


@given(TEXTS)
def test_only_canonical_digits_are_an_integer(text: str) -> None:
    found: list[Violation] = []
    value = LIMIT.read([text], found)
    assert found or text == str(value)


@pytest.mark.parametrize(
    "text", ["", "+5", "-0", "05", " 5", "5 ", "5\n", "1_0", "0x5", "5.0", "1e1", "\u0665", "\uff15", "\u00b2", "5,5"]
)
def test_non_canonical_integer_is_invalid(text: str) -> None:
    found: list[Violation] = []
    LIMIT.read([text], found)
    assert [violation.code for violation in found] == ["type"]


def test_missing_parameter_has_the_default() -> None:
    found: list[Violation] = []
    assert (LIMIT.read(None, found), found) == (50, [])
