"""Generated Range and If-Range header fields, with what a model of RFC 9110 sections 13.1.5 and 14 says they get."""

from __future__ import annotations

import re
from typing import NamedTuple

import httpx
from hypothesis import strategies as st

from tools.testing.played import noise

SIZE = 70_001
CONTENT = noise(SIZE, 2)
Bounds = tuple[int | None, int | None]
WHOLE = (200, 0, SIZE)


class Asked(NamedTuple):
    """The header fields of a request, and the status and bytes that RFC 9110 gives them; 416 sends no bytes."""

    headers: dict[str, str]
    expected: tuple[int, int, int]


def expected(bounds: Bounds) -> tuple[int, int, int]:
    """What a single range gets; (None, length) is a suffix, (first, None) is open."""
    first, last = bounds
    if first is None:
        positions = range(SIZE)[-last:] if last else range(0)
    elif last is not None and last < first:
        return WHOLE
    else:
        positions = range(SIZE)[first : None if last is None else last + 1]
    return (206, positions[0], positions[-1] + 1) if positions else (416, 0, 0)


def text(bounds: Bounds, zeros: int) -> str:
    first, last = ("" if number is None else "0" * zeros + str(number) for number in bounds)
    return f"{first}-{last}"


numbers = st.one_of(
    st.integers(0, 20),
    st.integers(0, 2 * SIZE),
    st.integers(SIZE - 3, SIZE + 3),
    st.sampled_from([2**31, 2**63, 2**64 - 1, 2**64, 10**30, 10**700]),  # ten of the longest fit into a header field
)
bounds_of_one = st.one_of(st.tuples(st.none(), numbers), st.tuples(numbers, st.one_of(st.none(), numbers)))
units = st.sampled_from(["bytes", "bytes", "bytes", "Bytes", "BYTES"])
# Empty elements of a list, which a recipient accepts (RFC 9110 section 5.6.1.2).
before, after = st.sampled_from(["", "", "", ",", ", ,"]), st.sampled_from(["", "", "", ",", " , ,"])
no_ranges = st.one_of(
    st.sampled_from(
        ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=0-1-2", "bytes =0-1", "bytes= 0-1", "=0-1",
         "items=0-1", "bytes=+1-2", "bytes=0x1-2", "bytes=1.0-2", "bytes=\u00b2-3", "bytes=0 -1", "bytes=--1"]
    ),
    st.text("bytes=0123456789-, ", max_size=12).filter(lambda found: not re.search("=[, ]*[0-9]*-[0-9]*[, ]*$", found)),
)  # fmt: skip
tags = st.sampled_from(["{tag}", '"other"', "W/{tag}", "Sat, 28 Nov 2026 10:00:00 GMT", "*", "", '{tag}, "other"'])


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    kind = draw(st.sampled_from(["one", "one", "one", "several", "none"]))
    if kind == "one":
        bounds = draw(bounds_of_one)
        value = f"{draw(units)}={draw(before)}{text(bounds, draw(st.integers(0, 2)))}{draw(after)}"
        found = expected(bounds)
    elif kind == "several":
        listed = draw(st.lists(bounds_of_one, min_size=2, max_size=5))
        value, found = f"{draw(units)}={', '.join(text(bounds, 0) for bounds in listed)}", WHOLE
    else:
        value, found = draw(no_ranges), WHOLE
    condition = draw(st.one_of(st.none(), tags))
    if condition is None:
        return Asked({"Range": value}, found)
    return Asked({"Range": value, "If-Range": condition}, found if condition == "{tag}" else WHOLE)


EXAMPLES = (
    Asked({"Range": "bytes=0-0"}, (206, 0, 1)),
    Asked({"Range": f"bytes=-{SIZE}"}, (206, 0, SIZE)),
    Asked({"Range": "bytes=-0"}, (416, 0, 0)),
    Asked({"Range": f"bytes={SIZE}-"}, (416, 0, 0)),
    Asked({"Range": f"bytes={2**64}-{2**63}"}, WHOLE),
    Asked({"Range": f"bytes={2**63}-{2**64}"}, (416, 0, 0)),
    Asked({"If-Range": '"other"'}, WHOLE),
)


def check(client: httpx.Client, target: str, asked: Asked) -> None:
    """Sends the request, and compares status, header fields and bytes."""
    tag = client.head(target).headers["ETag"]
    headers = [
        (name.encode(), value.replace("{tag}", tag).strip().encode("latin-1")) for name, value in asked.headers.items()
    ]
    response = client.get(target, headers=headers)
    status, start, end = asked.expected
    assert response.status_code == status, f"{asked} {response.headers}"
    shown = {206: f"bytes {start}-{end - 1}/{SIZE}", 416: f"bytes */{SIZE}"}.get(status)
    assert response.headers.get("Content-Range") == shown
    if status == 416:
        return
    assert response.headers["Content-Length"] == str(end - start)
    assert response.headers["ETag"] == tag
    assert response.headers.get_list("Accept-Ranges") == ["bytes"]
    assert response.content == CONTENT[start:end]
