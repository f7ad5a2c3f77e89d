"""Arrays of ids are checked in one pass, with the verdict of the complete schema."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from web.contract import string_arrays
from web.contract.schemas import Validator

PATTERNS = ("^mtrack_[0-9a-f]{12}$", "^[a-c]{3}$", "^x[A-Z]b[A-Z]{2}Q$", "^0[1-9]{2}0$")
LISTS = st.lists(
    st.one_of(
        *(st.from_regex(pattern, fullmatch=True) for pattern in PATTERNS),
        st.text("mtrack_09af\n0129abAQxb\xe9", max_size=20),
    ),
    max_size=4,
)


def _schema(pattern: str, of_array: dict[str, Any] | None = None, **rules: Any) -> dict[str, Any]:
    ids = {"type": "array", "items": {"type": "string", "pattern": pattern, **rules}, **(of_array or {})}
    return {"type": "object", "properties": {"ids": ids}, "components": {"schemas": {}}}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_pass_has_the_verdict_of_the_schema(pattern: str) -> None:
    schema = _schema(pattern, {"maxItems": 3, "uniqueItems": True})
    rest, [array] = string_arrays.split(schema)
    complete, reduced = jsonschema_rs.validator_for(schema), jsonschema_rs.validator_for(rest)

    @given(LISTS)
    @example([])
    @example(["mtrbck_0123456789ab"])
    @example(["mtrack_0123456789ab\nmtrack_0123456789ab"])
    @example(["mtrack_0123456789ab\n", "mtrack_0123456789ab"])
    @example(["mtrack_0123456789a\n", "bmtrack_0123456789ab"])
    @example(["aba", "0aa", "a00"])
    @example(["0110", "0000", "1111"])
    @example(["aaa", "bbb", "aaa"])
    @example(["aaa", "bbb", "ccc", "abc"])
    def same(ids: list[str]) -> None:
        body = {"ids": ids}
        assert reduced.is_valid(array.taken_from(body)) == complete.is_valid(body)

    same()


@pytest.mark.parametrize(
    "schema",
    [
        _schema("^mtrack_[0-9a-f]{12}"),
        _schema("^a[0-9]+$"),
        _schema("^[^a]{3}$"),
        _schema("^[0-9]{4}[a-z]$"),
        _schema("^[0-9]{4}$", maxLength=3),
        _schema("^[0-9]{4}$", format="date"),
        _schema("^abc$"),
        _schema("^[0-9]{4}$", {"minItems": 1}),
    ],
)
def test_other_patterns_are_left_to_the_validator(schema: dict[str, Any]) -> None:
    assert string_arrays.split(schema)[1] == []


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("wrong", ["", "mtrack_", "mtrack_00000000000g", "mtrack_0000000000000", 7, None, []])
def test_a_wrong_id_is_named_at_its_place(place: int, wrong: Any) -> None:
    document = {"components": {"schemas": {"Id": {"type": "string", "pattern": PATTERNS[0], "maxLength": 19}}}}
    ids = {"type": "array", "uniqueItems": True, "items": {"$ref": "#/components/schemas/Id"}}
    validator = Validator({"type": "object", "properties": {"ids": ids}}, document)
    listed: list[Any] = [f"mtrack_{number:012x}" for number in range(5)]
    assert validator.is_valid({"ids": listed})
    listed[place] = wrong
    assert not validator.is_valid({"ids": listed})
    assert {violation.pointer for violation in validator.violations({"ids": listed})} == {f"/ids/{place}"}
    listed[place] = listed[place - 1]
    assert not validator.is_valid({"ids": listed})
