"""A flaw in any field of any row of a response is found before the response is sent."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson
import pytest

from web.contract.document import document
from web.contract.operations import ResponseObject
from web.contract.reading import operations
from web.contract.schemas import ValidatorCache
from web.responses import Response

ROWS = 3
WRONG: tuple[Any, ...] = (
    None,
    "",
    "\0",
    "wrong",
    -1,
    10**12,
    0.5,
    True,
    [],
    {},
    "2026-02-30T10:00:00Z",
    "mtrack_00000000000G",
)
VALIDATORS = ValidatorCache(document())


def _lists() -> Iterator[Any]:
    """The lists that the service answers with: operation, body with some rows, and the name of the array."""
    for node in operations(document()):
        for media in node.by_status[node.success].get("content", {}).values():
            example = node.follow(media.get("schema", {})).get("example")
            if not isinstance(example, dict):
                continue
            for name, rows in example.items():
                if isinstance(rows, list) and rows and isinstance(rows[0], dict):
                    body = deepcopy(example) | {name: [deepcopy(rows[n % len(rows)]) for n in range(ROWS)]}
                    yield pytest.param(node, body, name, id=f"{node.id} {name}")


LISTS = list(_lists())


def _error(node: Any, body: Any) -> str | None:
    documented = ResponseObject(node, node.success, VALIDATORS, "")
    headers = {"content-type": next(iter(documented.media_types))} | dict.fromkeys(documented.checked_headers, '"1"')
    return documented.error(Response(node.success, headers, orjson.dumps(body), body))


def _is_valid(node: Any, body: Any) -> bool:
    """The verdict of the schema itself."""
    documented = ResponseObject(node, node.success, VALIDATORS, "")
    return not any(documented.media_types["application/json"].violations(body))


def test_the_service_answers_with_lists() -> None:
    assert {"list_collections items", "list_collection_tracks items", "list_tracks items"} <= {one.id for one in LISTS}


@pytest.mark.parametrize(("node", "body", "array"), LISTS)
def test_a_flaw_in_any_field_of_any_row_is_found(node: Any, body: Any, array: str) -> None:
    assert _error(node, body) is None
    found = 0
    for row in range(ROWS):
        for name in body[array][row]:
            for wrong in WRONG:
                flawed = deepcopy(body)
                flawed[array][row][name] = wrong
                assert (_error(node, flawed) is None) == _is_valid(node, flawed), (row, name, wrong)
                found += not _is_valid(node, flawed)
            flawed = deepcopy(body)
            del flawed[array][row][name]
            assert _error(node, flawed) is not None, (row, name)
    assert found > ROWS * len(body[array][0])
