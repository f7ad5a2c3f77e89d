"""Error codes: the exception classes, the enum of the contract and its catalog have the same set."""

from collections.abc import Iterator
from typing import Any

import web.exceptions  # noqa: F401 - the import registers the subclasses of Failure
from models.exceptions import Failure
from web.contract import document as contract


def test_error_catalog_describes_every_code() -> None:
    enum, catalog = set(_error_code()["enum"]), set(_error_code()["x-errors"])
    assert enum == catalog, (
        f"Codes without a row: {sorted(enum - catalog)}; rows without a code: {sorted(catalog - enum)}.\n"
        "In openapi/components/schemas/errors.yaml each code of ErrorCode's enum has one entry in x-errors."
    )


def test_error_codes_and_exception_classes_match() -> None:
    enum, classes = set(_error_code()["enum"]), {failure.code for failure in _failures() if "code" in vars(failure)}
    assert classes == enum, (
        f"Codes without a class: {sorted(enum - classes)}; codes of classes only: {sorted(classes - enum)}.\n"
        "A failure of the domain is a class in models/exceptions.py, one of the protocol a class in web/exceptions.py; "
        "its code stands in openapi/components/schemas/errors.yaml with a status, a type and a message."
    )


def _error_code() -> dict[str, Any]:
    schema: dict[str, Any] = contract.document()["components"]["schemas"]["ErrorCode"]
    return schema


def _failures(parent: type[Failure] = Failure) -> Iterator[type[Failure]]:
    for child in parent.__subclasses__():
        if child.__module__.partition(".")[0] in {"web", "handlers", "models"}:
            yield child
        yield from _failures(child)
