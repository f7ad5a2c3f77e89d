"""The classes of a client's errors: one per type, and one per code below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from docsite import client_names
from tools.clients import names
from tools.clients.model import Client

BASES = ("MusicStudioError", "APIError", "APIConnectionError", "APITimeoutError", "InvalidResponseError")


class ErrorClass(NamedTuple):
    """A class of an error: the code or the type that it is for, and its base."""

    name: str
    base: str
    type: str
    code: str
    message: str


def values(client: Client, suffix: str = "Error", bases: Sequence[str] = BASES) -> Mapping[str, Any]:
    """What templates need: the classes of types and of codes, the class of each code, and all names. NameClash.

    `bases` are the client's own classes; the second is that of every error response.
    """
    types = {error.type: _class(error.type, suffix) for error in client.errors}
    by_code = {error.code: _class(error.code, suffix) for error in client.errors}
    names.unique([*((name, code) for code, name in by_code.items()), *((name, name) for name in bases)], "the errors")
    kinds = [
        ErrorClass(by_code[error.code], types[error.type], error.type, error.code, error.message)
        for error in client.errors
        if by_code[error.code] not in types.values()
    ]
    by_type = [ErrorClass(name, bases[1], kind, "", "") for kind, name in types.items()]
    return {
        "error_types": by_type,
        "error_kinds": kinds,
        "error_by_code": by_code,
        "error_classes": sorted({*types.values(), *by_code.values(), *bases}),
    }


def _class(code: str, suffix: str) -> str:
    return client_names.pascal(code).removesuffix("Error") + suffix
