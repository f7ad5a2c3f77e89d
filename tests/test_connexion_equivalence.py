"""What an unmodified Connexion refuses, the service refuses with the same class of status; decision 1 says why.

Both get the contract's examples and Schemathesis' valid and invalid requests of every operation. A difference that
DIFFERENCES does not explain fails.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from tools.testing.connexion_pair import Response, ask, ours, stock
from tools.testing.service import operations
from tools.testing.small_service import SECRET
from web.contract import document as contract
from web.contract.reading import OperationObject, examples, path_pattern

pytestmark = pytest.mark.slow
CASES = 60
ORIGIN = "http://test"
IDS = {
    "organization_id": "org_home1",
    "collection_id": "mcoll_4a1f9c7e2b8d",
    "track_id": "mtrack_8d2e1f6a3c9b",
    "job_id": "mjob_3e8b5d1f7a2c",
    "session_id": "mfocus_5d0b7e3a9c14",
    "file": "mtrack_8d2e1f6a3c9b.mp3",
    "share_id": "mslink_5d2f8c1a7e94",
    "token": "shr_9f4c1e7a2b8d5063c8e1f72a4b9d0e36",
    "position": "1",
}
_OPERATIONS: Any = schemathesis.openapi.from_dict(contract.document()).get_all_operations()
GENERATED: dict[str, Any] = {
    found.definition.raw["operationId"]: found for found in (result.ok() for result in _OPERATIONS)
}
each_operation = pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.id)


class Request(NamedTuple):
    """A request as both applications get it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Difference:
    """Why the two may differ, and whether that explains a request and the responses of Connexion and of ours."""

    reason: str
    explains: Callable[[Request, Response, Response], bool]


OPTIONAL_BODY = "optional body"
DIFFERENCES = {
    "path parameter": Difference(
        "Ours looks path parameters up instead of validating them: the handler answers 404 (decision 11).",
        lambda request, connexion, service: connexion.status == 400 and b"pattern" in connexion.body
        and not service.is_refusal and not _fits(request),
    ),
    "unknown query parameter": Difference(
        "Ours refuses a query parameter that the contract does not name; Connexion ignores it.",
        lambda _request, _connexion, service: {code for _, code in service.violations()} == {"additionalProperties"},
    ),
    "secret address": Difference(
        "Ours gives one error for every invalid request to an address that is a secret (`x-invalid-request`).",
        lambda _request, _connexion, service: service.status in (403, 404)
        and b"The address is altered, expired or revoked" in service.body,
    ),
    OPTIONAL_BODY: Difference(
        "Ours takes a request without a body where the contract says that it is optional; Connexion wants one.",
        lambda request, connexion, service: connexion.status == 400 and b"must not be empty" in connexion.body
        and not request.body and not service.is_refusal,
    ),
    "Connexion fails": Difference(
        "Connexion fails with 500 on text that is no UTF-8 or holds control characters; ours refuses it.",
        lambda _request, connexion, service: connexion.status == 500 and 400 <= service.status < 500,
    ),
}  # fmt: skip


def _fits(request: Request) -> bool:
    """Whether every path parameter has the form that the contract demands."""
    path = urlsplit(request.url).path
    for operation in operations():
        found = path_pattern(operation.path).fullmatch(path)
        if found is not None and operation.method == request.method:
            rules = {node["name"]: node["schema"]["pattern"] for node in operation.parameters_in("path")}
            return all(re.fullmatch(rules[name].strip("^$"), value) for name, value in found.groupdict().items())
    return True


def difference(request: Request, connexion: Response, service: Response) -> str | None:
    """The name of the difference; None where both are alike. Fails for one that is not explained.

    What Connexion cannot route, ours cannot either: there the statuses are equal.
    """
    unrouted = connexion.status in (404, 405)
    alike = connexion.status == service.status if unrouted else connexion.status // 100 == service.status // 100
    if alike:
        return None
    explained = [name for name, known in DIFFERENCES.items() if known.explains(request, connexion, service)]
    assert explained[: 0 if unrouted else None], (
        f"{request}\nConnexion: {connexion}\nours: {service}\n"
        "Make ours refuse what Connexion refuses. Where ours is stricter for a reason, add it to DIFFERENCES."
    )
    return explained[0]


def ask_stock(request: Request) -> Response:
    """The response of Connexion, which has every path below the server of the document, whatever its path item says."""
    beside = request.url.removeprefix(f"{ORIGIN}/shared/")
    moved = request if beside == request.url else request._replace(url=f"{ORIGIN}/v1/shared/{beside}")
    return ask(stock(), *moved)


def compare(request: Request) -> str | None:
    return difference(request, ask_stock(request), ask(ours(), *request))


def _prepared(method: str, url: str, **content: object) -> Request:
    prepared: Any = requests.Request(method, url, **content).prepare()  # type: ignore[arg-type] # by keyword
    body = prepared.body or b""
    headers = {name: value for name, value in prepared.headers.items() if name not in ("Authorization", "X-API-Key")}
    headers["X-API-Key"] = SECRET
    return Request(method, str(prepared.url), headers, body.encode() if isinstance(body, str) else body)


def _examples(operation: OperationObject) -> Iterator[Request]:
    url = f"{ORIGIN}{operation.path.format(**IDS)}"
    query = {node["name"]: node["example"] for node in operation.parameters_in("query") if node.get("required")}
    bodies = examples(operation.body, operation.document).values() if operation.body else [None]
    for body in bodies:
        yield _prepared(operation.method, url, json=body, params=query)


@each_operation
def test_both_accept_the_examples_of_the_contract(operation: OperationObject) -> None:
    for request in _examples(operation):
        responses = ask_stock(request), ask(ours(), *request)
        assert [response.is_refusal for response in responses] == [False, False], responses


@each_operation
def test_both_refuse_a_request_without_a_valid_credential(operation: OperationObject) -> None:
    for request in _examples(operation):
        for secret in (None, "msk_nobody", SECRET[:-1] + "0"):
            fields = {name: value for name, value in request.headers.items() if name != "X-API-Key"}
            fields |= {} if secret is None else {"X-API-Key": secret}
            changed = request._replace(headers=fields)
            statuses = {ask_stock(changed).status, ask(ours(), *changed).status}
            assert statuses == ({operation.success} if operation.is_public else {401})


@each_operation
def test_both_refuse_a_wrong_method_path_media_type_and_json(operation: OperationObject) -> None:
    for request in _examples(operation):
        changed = [request._replace(method="PUT"), request._replace(url=request.url + "/nothing/at/all")]
        if operation.body:
            changed += [request._replace(body=b"{")]
            changed += [request._replace(body=b"")] if operation.request_body["required"] else []
            changed += [request._replace(headers={**request.headers, "Content-Type": "text/plain"})]
        for one in changed:
            assert compare(one) is None, one
            assert ask(ours(), *one).is_refusal, one


@each_operation
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_ours_refuses_what_connexion_refuses(operation: OperationObject, mode: GenerationMode) -> None:
    base = ORIGIN + operation.path.removesuffix(operation.template)
    found = Counter(compare(request) for request in _generated(GENERATED[operation.id], mode, base))
    assert sum(found.values()) or (mode is GenerationMode.NEGATIVE and operation.is_public)
    if mode is GenerationMode.POSITIVE:
        assert not found.keys() - {None, OPTIONAL_BODY}, "a valid request is no difference"


def test_an_unexplained_difference_fails() -> None:
    request = next(_examples(operations()[0]))
    with pytest.raises(AssertionError, match="Make ours refuse"):
        difference(request, Response(400, b"{}"), Response(200, b"{}"))
    with pytest.raises(AssertionError, match="Make ours refuse"):
        difference(request, Response(404, b"{}"), Response(200, b"{}"))


def _generated(operation: Any, mode: GenerationMode, base: str) -> list[Request]:
    collected: list[Request] = []

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=CASES, database=None, deadline=None, derandomize=True, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def collect(case: Any) -> None:
        collected.append(_prepared(**case.as_transport_kwargs(base_url=base)))

    with suppress(Unsatisfiable):  # there is no invalid request of an operation without parameters
        collect()
    return collected
