"""The table of all operations is what is declared, and has no hole without a reason."""

import pytest

from tools.contract import operations_page
from tools.contract.operations_page import WITHOUT, Row
from web.contract import document as contract


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return operations_page.rows()


def test_every_operation_has_a_handler_tests_samples_clients_and_a_workflow(rows: list[Row]) -> None:
    holes = {hole for row in rows for hole in row.holes()}
    assert holes - WITHOUT.keys() == set(), (
        "Fill the hole (docs/adding-an-operation.md), or say in WITHOUT of tools/contract/operations_page.py why not."
    )
    assert WITHOUT.keys() - holes == set(), "Remove from WITHOUT what is there by now."


def test_every_operation_has_a_row(rows: list[Row]) -> None:
    paths = contract.document()["paths"].values()
    declared = {item[method]["operationId"] for item in paths for method in contract.METHODS if method in item}
    assert {row.operation.id for row in rows} == declared
    assert {operation for _, operation in WITHOUT} <= declared


def test_the_page_is_that_of_the_table(rows: list[Row]) -> None:
    assert operations_page.page(rows) == operations_page.FILE.read_text(encoding="utf-8"), "run `make operations`"


def test_an_operation_without_anything_has_every_hole(rows: list[Row]) -> None:
    secured = next(row for row in rows if not row.operation.is_public)
    nothing = secured._replace(handler="", access=0, statuses=(0, 1), samples=(0, 1), clients=(0, 1), workflow="")
    assert [column for column, _ in nothing.holes()] == list(operations_page.COLUMNS)
