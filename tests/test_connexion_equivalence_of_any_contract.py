"""What an unmodified Connexion answers on contracts with every supported keyword; differences are listed."""

import json
from pathlib import Path

import pytest

from tools.testing import connexion_pair, keyword_cases
from tools.testing.keyword_cases import Case, Request, Row
from tools.testing.small_service import KEY, SmallService, write
from web.asgi import App
from web.contract import document

pytestmark = pytest.mark.slow

CASES = keyword_cases.cases()
# The keywords on whose contracts both may answer differently: all rows that begin so.
DIFFERENCES: dict[Row, str] = {
    ("Schema", "format"): "Connexion checks only the formats that its validator knows without further packages.",
    ("Schema", "discriminator"): "Connexion does not read discriminators.",
    ("Discriminator", "propertyName"): "Connexion does not read discriminators.",
    ("Schema", "readOnly", "true"): "Connexion takes read-only properties.",
    ("Schema", "writeOnly", "true"): "Connexion sends write-only properties; ours answers 500 to a handler that does.",
    ("Header", "required"): "Connexion does not check the header fields of a response; ours answers 500.",
    ("Schema", "x-errors"): "Ours refuses query parameters that the contract does not have.",
    ("Parameter", "in", "header"): "Ours refuses query parameters that the contract does not have.",
    ("PathItem", "servers"): "Connexion serves every path below the servers of the document.",
    ("Operation", "x-scope"): "The extension is ours.",
    ("Operation", "x-invalid-request"): "The extension is ours.",
    ("Operation", "x-rate-limit"): "The extension is ours.",
    ("Operation", "x-token-rate-limit"): "The extension is ours.",
    ("Parameter", "explode"): "Connexion answers 500 to a list whose items have no type.",
    ("RequestBody", "required", "false"): "Connexion refuses a request without the optional body.",
    ("SecurityScheme", "type", "openIdConnect"): "Connexion has no implementation of OpenID Connect.",
}
# Connexion does not start with them.
NOT_LOADED = {("Schema", "enum"): "Connexion follows a `$ref` that is a value."}


@pytest.mark.parametrize("row", CASES, ids="-".join)
def test_responses_are_those_of_connexion_or_a_listed_difference(row: Row, tmp_path: Path) -> None:
    case = CASES[row]
    file = write(tmp_path, case.one, **case.files)
    if row in NOT_LOADED:
        with pytest.raises(Exception, match="Unresolvable JSON pointer"):
            connexion_pair.stock_of(document.load(file))
        return
    if row[:2] in DIFFERENCES or row in DIFFERENCES:
        return
    differing = _differing(case, file)
    assert not differing, f"Connexion and the service answer {differing}: list it with its reason, or mend it."


def test_every_listed_difference_exists(tmp_path: Path) -> None:
    for listed in DIFFERENCES:
        cases = [case for row, case in CASES.items() if row[: len(listed)] == listed]
        found = [_differing(case, write(tmp_path, case.one, **case.files)) for case in cases]
        assert any(found), f"{listed} does not differ any more: remove it."


def _differing(case: Case, file: Path) -> list[tuple[str, str]]:
    """The classes of the answers of Connexion and of ours, where they differ."""
    stock = connexion_pair.stock_of(document.load(file))
    service = SmallService(file, case.handlers, **case.settings)
    pairs = [_classes(stock, service, request) for request in case.requests]
    return [pair for pair in pairs if pair[0] != pair[1]]


def _classes(stock: App, service: SmallService, request: Request) -> tuple[str, str]:
    headers, content = dict(KEY if request.headers is None else request.headers), b""
    if request.json is not None:
        content = json.dumps(request.json).encode()
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    theirs = connexion_pair.ask(stock, request.method, request.path, headers, content).status
    ours = service.request(request.method, request.path, headers=headers, content=content or None).status_code
    return _class(theirs), _class(ours)


def _class(status: int) -> str:
    """Success, invalid (400 and 422), or the status."""
    return "success" if status < 400 else "invalid" if status in (400, 422) else str(status)
