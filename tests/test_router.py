"""Router: finds the operation of a path in its one spelling, or none."""

import re
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from web.contract import document as contract
from web.contract.operations import Operation
from web.contract.reading import operations
from web.contract.schemas import ValidatorCache
from web.exceptions import MethodNotAllowed, NoSuchEndpoint
from web.router import Router, allow

# Valid path values: no control characters, slashes, backslashes or dot segments.
SEGMENTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/\\"), min_size=1
).filter(lambda text: text not in (".", ".."))


@cache
def _operations() -> list[Operation]:
    document = contract.document()
    validators = ValidatorCache(document)
    return [Operation(node, validators, lambda **_: None) for node in operations(document)]


@cache
def _router() -> Router:
    return Router(_operations())


def _path(operation: Operation, values: dict[str, str]) -> bytes:
    return re.sub(r"\{(\w+)\}", lambda m: quote(values[m[1]], safe=""), operation.path).encode()


@settings(deadline=None)  # the first example compiles the contract
@given(st.data())
def test_every_operation_is_found_for_any_path_values(data: st.DataObject) -> None:
    for operation in _operations():
        values = {name: data.draw(SEGMENTS) for name in operation.path_names}
        assert _router().find(operation.method, _path(operation, values)) == (operation, values)


@settings(deadline=None)
@given(st.binary(max_size=40) | st.lists(st.sampled_from([b"/v1", b"/music", b"/org_a", b"/collections", b"/tracks",
    b"/order", b"/", b"//", b".", b"%2e", b"%2f", b"%00", b"%", b"%ff", b"\xff", b"%e9"]),
    max_size=9).map(b"".join))  # fmt: skip
@example(b"*")
@example(b"")
@example(b"/v1/health/live/")
def test_any_bytes_match_an_operation_or_none(path: bytes) -> None:
    try:
        operation, values = _router().find("GET", path)
    except (NoSuchEndpoint, MethodNotAllowed):
        return
    assert operation.path_names == list(values)
    assert not [
        value for value in values.values() if re.search(r"[\x00-\x1f\x7f-\x9f/\\]", value) or value in (".", "..")
    ]


@settings(deadline=None)
@given(st.sampled_from(range(9)), st.data())
def test_path_matches_in_one_spelling_only(number: int, data: st.DataObject) -> None:
    operation = _operations()[number % len(_operations())]
    path = _path(operation, dict.fromkeys(operation.path_names, "a1"))
    position = data.draw(st.sampled_from([i for i, byte in enumerate(path) if byte != ord("/")]))
    other = data.draw(
        st.sampled_from([b"%%%02x" % path[position], path[position : position + 1].swapcase(), b"/", b"./", b""])
    )
    spelt = path[:position] + other + path[position + 1 :]
    assume(spelt != path)
    try:
        found, values = _router().find(operation.method, spelt)
    except (NoSuchEndpoint, MethodNotAllowed):
        return
    assert operation.path_names, "a fixed path was found by another spelling"
    assert _path(found, values).lower() != path.lower() or "a1" in values.values() or found is operation


@pytest.mark.parametrize("path", [b"/", b"/x", b"/%2e", b"/%2E%2e", b"/.."])
def test_extra_path_segment_is_no_endpoint(path: bytes) -> None:
    for operation in _operations():
        known = _path(operation, dict.fromkeys(operation.path_names, "a1"))
        below = re.compile(re.escape(operation.path) + r"/\{\w+\}")
        if path == b"/x" and any(below.fullmatch(other.path) for other in _operations()):
            continue  # the path of one resource of a list
        with pytest.raises(NoSuchEndpoint):
            _router().find(operation.method, known + path)


def test_head_is_routed_like_get() -> None:
    for operation in _operations():
        path = _path(operation, dict.fromkeys(operation.path_names, "a1"))
        methods: Any = _router().methods(path)[0]
        if "GET" in methods:
            assert _router().find("HEAD", path)[0] is methods["GET"]
        else:
            with pytest.raises(MethodNotAllowed):
                _router().find("HEAD", path)


def test_method_not_allowed_lists_the_allowed_methods() -> None:
    for operation in _operations():
        path = _path(operation, dict.fromkeys(operation.path_names, "a1"))
        with pytest.raises(MethodNotAllowed) as refused:
            _router().find("TRACE", path)
        offered = set(refused.value.headers["allow"].split(", "))
        assert offered == set(_router().methods(path)[0]) | {"OPTIONS"} | ({"HEAD"} if "GET" in offered else set())


def test_asterisk_allows_every_method_and_has_no_operation() -> None:
    assert allow(_router().methods(b"*")[0]) == "DELETE, GET, HEAD, OPTIONS, PATCH, POST"
    with pytest.raises(NoSuchEndpoint):
        _router().find("GET", b"*")
