"""Strict JSON parser, compared with the standard library."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from web.contract.strict_json import MAX_DEPTH, MAX_DIGITS, MAX_PARTS, MAX_VALUES, parse
from web.exceptions import MalformedRequest

GREATEST = 10**MAX_DIGITS - 1
# Any text, and texts of the characters that have a meaning in JSON.
TEXTS = st.text(st.characters(codec="utf-8")) | st.text('"\\\\:,[]{}01\\u', max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-GREATEST, GREATEST)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
# Tokens of JSON in random order, which are closer to valid JSON than random bytes.
PIECES = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b":", b",", b'"', b'"a"', b'"a":', b"\\", b"\\u", b"d800", b"1", b"-", b".", b"e9",
        b"0", b" ", b"\n", b"null", b"true", b"NaN", b"\xff", b"\0", b'"\xc3\xa9"']
    ),
    max_size=30,
).map(b"".join)  # fmt: skip


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_serialized_json_round_trips(value: Any, indent: Any, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    if longest_run_of_digits(text) <= MAX_DIGITS:
        assert parse(text.encode()) == value


@given(st.binary(max_size=60) | PIECES)
@example(b"")
@example(b"\xef\xbb\xbf{}")
@example(b'{"a": 1e400}')
@example(b'["\\ud800"]')
@example(b'"' + b"\\" * 9)
def test_json_parser_agrees_with_the_standard_library_or_rejects(raw: bytes) -> None:
    try:
        value = parse(raw)
    except MalformedRequest:
        return
    assert value == json.loads(raw.decode("utf-8"), parse_constant=pytest.fail)


@given(st.lists(TEXTS, min_size=1, max_size=5), st.data())
def test_duplicate_object_name_is_rejected(names: list[str], data: st.DataObject) -> None:
    twice = data.draw(st.permutations([*names, data.draw(st.sampled_from(names))]))
    inner = "{" + ", ".join(f"{json.dumps(name)}: 1" for name in twice) + "}"
    for text in (inner, f"[{inner}]", f'{{"a": {inner}}}', f'{{"a": {{}}, "b": [1, {inner}]}}'):
        with pytest.raises(MalformedRequest):
            parse(text.encode())


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_nesting_is_limited_to_max_depth(opening: bytes) -> None:
    def nested(depth: int) -> bytes:
        layers = (opening * depth)[: _prefix(opening, depth)]
        closing = bytes({91: 93, 123: 125}[byte] for byte in reversed(layers) if byte in b"[{")
        return layers + b"1" + closing

    parse(nested(MAX_DEPTH))
    with pytest.raises(MalformedRequest):
        parse(nested(MAX_DEPTH + 1))


def _prefix(opening: bytes, depth: int) -> int:
    """Length of the prefix that opens so many arrays and objects."""
    rest, length = depth, 0
    for byte in opening * depth:
        rest -= byte in b"[{"
        if rest < 0:
            break
        length += 1
    return length


def test_brackets_inside_strings_do_not_count_as_nesting() -> None:
    text = "[" * 99 + '"{\\' + "]" * 3
    assert parse(json.dumps({"a": text, "b": [text]}).encode()) == {"a": text, "b": [text]}


@pytest.mark.parametrize("number", [str(GREATEST), f"-{GREATEST}", "0.1234567890123456789", "1e308", "-0", "-0.0"])
def test_numbers_up_to_the_limit_are_accepted(number: str) -> None:
    assert parse(f"[{number}]".encode()) == [json.loads(number)]


@pytest.mark.parametrize(
    "number", [str(GREATEST + 1), f"-{GREATEST + 1}", "1" * 4400, "0." + "1" * 20, "1e309", "-1e309", "1e" + "9" * 20]
)
def test_numbers_over_the_limit_are_rejected(number: str) -> None:
    for text in (number, f"[{number}]", f'{{"a": [{number}]}}'):
        with pytest.raises(MalformedRequest):
            parse(text.encode())


@pytest.mark.parametrize("inner", [b"{},", b"[],", b'{"a":1},'])
def test_number_of_parts_is_limited(inner: bytes) -> None:
    parts = inner.count(b":") + 1
    fitting = (MAX_PARTS - 1) // parts
    assert len(parse(b"[" + (inner * fitting)[:-1] + b"]")) == fitting
    with pytest.raises(MalformedRequest):
        parse(b"[" + (inner * (fitting + 1))[:-1] + b"]")


def test_number_of_object_names_is_limited() -> None:
    names = {f"x{n}": n for n in range(MAX_PARTS - 1)}
    assert parse(json.dumps(names).encode()) == names
    with pytest.raises(MalformedRequest):
        parse(json.dumps(names | {"one": 1, "more": 2}).encode())


@pytest.mark.parametrize("value", [b"1", b'""', b'":"', b'"\\\\"', b'"[\\",{"'])
def test_number_of_values_is_limited(value: bytes) -> None:
    def listed(count: int) -> bytes:
        return b'{"a": [' + b",".join([value] * count) + b"]}"

    assert len(parse(listed(MAX_VALUES))["a"]) == MAX_VALUES
    with pytest.raises(MalformedRequest, match="50000 values"):
        parse(listed(MAX_VALUES + 1))


@pytest.mark.parametrize("text", ["9" * 99, "\\\\" + "9" * 99, '"' + "9" * 99, "é" + "9" * 99 + "\\"])
def test_digits_in_strings_are_not_limited(text: str) -> None:
    value = {text: [text, -GREATEST, GREATEST, text]}
    assert parse(json.dumps(value).encode()) == value
    with pytest.raises(MalformedRequest, match="19 digits"):
        parse(json.dumps(value | {"a": GREATEST + 1}).encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037"])
def test_only_utf_8_is_accepted(encoding: str) -> None:
    with pytest.raises(MalformedRequest):
        parse('{"name": "é"}'.encode(encoding))


def longest_run_of_digits(text: str) -> int:
    return max(map(len, "".join(c if c.isascii() and c.isdigit() else " " for c in text).split()), default=0)
