"""Contracts and handlers as somebody adds operations: each is served as it says, or refused with its place."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.testing.service import ROOT
from tools.testing.small_service import (
    Document,
    SmallService,
    body,
    document,
    errors,
    operation,
    parameter,
    response,
    returning,
    write,
)
from web.exceptions import ContractError
from web.responses import WithETag

KEY = parameter("Idempotency-Key", "header", {"type": "string", "maxLength": 255})
LABELLED = {"type": "object", "required": ["label", "made"], "properties": {"label": {"type": "string"}}}
CAT = {"$ref": "#/components/schemas/Cat"}
COMMANDS = {
    "serve": ("-m", "cli", "serve", "--port", "0"),
    "up": ("-m", "cli", "up", "--port", "0"),
    "up with two workers": ("-m", "cli", "up", "--port", "0", "--workers", "2"),
    "mock": ("-m", "cli", "mock", "--port", "0"),
}


def _path(template: str, **fields: Any) -> dict[str, Any]:
    names = [part.partition("{")[2].partition("}")[0] for part in template.split("/") if "{" in part]
    parameters = [parameter(name, "path") for name in names]
    name = "get_" + "_".join(part.strip("{}") for part in template.split("/")[1:]).replace(":", "_")
    return {template: {"get": operation(name, parameters=parameters, **fields)}}


def _paths(*templates: str) -> Document:
    return document({key: item for template in templates for key, item in _path(template).items()})


def _post(schema: Any = None, path: str = "/things", /, **fields: Any) -> Document:
    sent = {} if schema is None else {"requestBody": body(schema)}
    cat = {"type": "object", "properties": {"kind": {"type": "string", "enum": ["cat"]}}}
    return document({path: {"post": operation("post_thing", **sent, **fields)}}, schemas={"Cat": cat})


def _get(*parameters: Any, **fields: Any) -> Document:
    return document({"/things": {"get": operation("get_thing", parameters=list(parameters), **fields)}})


def _with(found: Document, change: Callable[[Document], None]) -> Document:
    change(found)
    return found


def _scheme(scheme: str, /, **fields: Any) -> Document:
    return _with(_get(), lambda found: found["components"]["securitySchemes"][scheme].update(fields))


def _created(expression: str) -> Document:
    thing = {"type": "object", "required": ["item"], "properties": {"item": {"type": "object"}}}
    link = {"operationId": "get_thing", "parameters": {"thing": expression}}
    made = {"201": response(thing, links={"get_thing": link})} | errors()
    item = {"get": operation("get_thing", parameters=[parameter("thing", "path")])}
    return document({"/things": {"post": operation("post_thing", responses=made)}, "/things/{thing}": item})


SERVED: dict[str, Document] = {
    "text beside a variable": _paths("/jobs/{name}:start", "/jobs/{name}:stop", "/jobs/{name}"),
    "two paths over one place": _paths("/things/{name}", "/things/{name}/parts", "/things/latest/news"),
    "a segment that is not ASCII": _paths("/m\u00fcsic"),
    "two credentials at once": _get(security=[{"ApiKeyAuth": [], "BearerAuth": []}]),
    "one credential alone": _get(security=[{"BearerAuth": []}]),
    "no credential or one": _get(security=[{}, {"ApiKeyAuth": []}]),
    "a header of another name": _scheme("ApiKeyAuth", name="X-Studio-Key"),
    "a key in the query": _scheme("ApiKeyAuth", **{"in": "query", "name": "api_key"}),
    "a scope of OAuth": _get(security=[{"ApiKeyAuth": []}, {"BearerAuth": ["music:admin"]}]),
    "a success without a body": document(
        {"/things": {"post": operation("post_thing", {"204": {"description": "Done."}})}}
    ),
    "Idempotency-Key outside an organization": _post(parameters=[KEY]),
    "a server with a host": _with(_get(), lambda found: found.update(servers=[{"url": "https://music.example/v1"}])),
    "a server with variables": _with(
        _get(), lambda found: found.update(servers=[{"url": "/{a}", "variables": {"a": {"default": "v1"}}}])
    ),
    "a read-only property": _post(LABELLED | {"properties": {"made": {"type": "string", "readOnly": True}}}),
    "a write-only property": _get(
        responses={"200": response(LABELLED | {"properties": {"made": {"writeOnly": True}}})} | errors()
    ),
    "a body of text": _post(requestBody={"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}),
    "a response of another JSON type": _get(
        responses={"200": response({}, content={"application/hal+json": {"schema": {}}})} | errors()
    ),
    "a discriminator": _post({"oneOf": [CAT], "discriminator": {"propertyName": "kind"}}),
    "an operation for HEAD": document({"/things": {"head": operation("head_thing"), "get": operation("get_thing")}}),
    "nullable beside allOf": _post({"properties": {"who": {"nullable": True, "allOf": [CAT]}}}),
    "a list in the query": _get(parameter("ids", schema={"type": "array", "items": {"type": "string"}})),
    "an optional body": _post(requestBody=body({}, required=False)),
    "a link into an inner object": _created("$response.body#/item/id"),
    "a link to a header": _created("$response.header.ETag"),
}
REFUSED: dict[str, tuple[Document, tuple[str, ...]]] = {
    "two variables of other names": (_paths("/a/{b}", "/a/{c}"), ("two templates of one form: `/a/{b}` and `/a/{c}`",)),
    "a file of the documentation": (
        document({"/llms.txt": {"get": operation("get_list")}}) | {"servers": [{"url": "/"}]},
        ("template below the documentation: `/llms.txt`",),
    ),
    "basic authentication": (_scheme("BearerAuth", scheme="basic"), ("`scheme: basic`: Write `bearer`.",)),
    "a cookie": (_get(parameter("a", "cookie")), ("/things GET: `in: cookie`",)),
    "a body of DELETE": (
        document({"/things": {"delete": operation("delete_thing", requestBody=body({}))}}),
        ("/things DELETE: requestBody of GET, HEAD or DELETE",),
    ),
    "a default response": (_get(responses={"200": response({}), "default": response({})}), ("/things GET: `default`",)),
    "a range of statuses": (_get(responses={"200": response({}), "4XX": response({})}), ("/things GET: `4XX`",)),
    "an unknown extension": (_get(**{"x-openapi-router-controller": "a"}), ("`x-openapi-router-controller`",)),
}


def _without_headers(organization_id: str) -> Any:
    raise NotImplementedError


def _with_headers(organization_id: str, idempotency_key: str | None, caller: Any) -> Any:
    raise NotImplementedError


async def _coroutine(organization_id: str) -> Any:
    raise NotImplementedError


def _with_default(page: int = 7) -> Any:
    raise NotImplementedError


def _with_colour(page: int, colour: str) -> Any:
    raise NotImplementedError


def _without_page() -> Any:
    raise NotImplementedError


def _collecting(**arguments: Any) -> Any:
    raise NotImplementedError


def _positional(page: int, /) -> Any:
    raise NotImplementedError


def _generator(page: int) -> Any:
    yield page


PAGED = _get(parameter("page", schema={"type": "integer", "default": 1}))
KEYED = _post(None, "/music/{organization_id}/things", parameters=[parameter("organization_id", "path"), KEY])
HANDLERS: dict[str, tuple[Document, Mapping[str, Any], str]] = {
    "an argument that the contract does not have": (PAGED, {"get_thing": _with_colour}, "takes `colour`"),
    "a default of Python": (PAGED, {"get_thing": _with_default}, "the default of `page` is never used"),
    "a parameter that is left out": (PAGED, {"get_thing": _without_page}, "does not take `page`"),
    "a body that is left out": (_post({}), {"post_thing": _without_page}, "does not take `body`"),
    "collected arguments": (PAGED, {"get_thing": _collecting}, "`**arguments` hides what it takes"),
    "positional arguments": (PAGED, {"get_thing": _positional}, "`page` is positional only"),
    "a generator": (PAGED, {"get_thing": _generator}, "the handler is a generator"),
    "a coroutine that writes": (KEYED, {"post_thing": _coroutine}, "the handler is a coroutine"),
}  # fmt: skip


@pytest.mark.parametrize("name", SERVED)
def test_a_contract_is_served(name: str, tmp_path: Path) -> None:
    """Its behaviour is tested in the module about the subject."""
    assert SmallService(write(tmp_path, SERVED[name])).document["paths"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_contract_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    found, expected = REFUSED[name]
    with pytest.raises(ContractError) as error:
        SmallService(write(tmp_path, found))
    lines = str(error.value).splitlines()
    assert lines[0] == "The OpenAPI document says what this service does not do:"
    assert all(line.endswith(")") and "(#/" in line for line in lines[1:])
    for text in expected:
        assert text in str(error.value)


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_is_refused_with_both_places(name: str, tmp_path: Path) -> None:
    found, handlers, expected = HANDLERS[name]
    [handler] = handlers.values()
    with pytest.raises(ContractError) as error:
        SmallService(write(tmp_path, found), handlers)
    [line] = [line for line in str(error.value).splitlines() if expected in line]
    assert line.startswith(("/things GET: ", "/things POST: ", "/music/{organization_id}/things POST: "))
    assert "(#/paths/~1" in line
    assert line.endswith(f"; tests/{Path(__file__).name}:{handler.__code__.co_firstlineno})")


def test_a_handler_may_take_the_headers_that_the_server_deals_with(tmp_path: Path) -> None:
    for handler in (_without_headers, _with_headers):
        SmallService(write(tmp_path, KEYED), {"post_thing": handler})


@pytest.mark.parametrize("paths", [("/a/{x}/parts", "/a/latest/parts"), ("/{x}/b", "/a/b"), ("/a/{x}", "/a/b", "/a/c")])
def test_a_literal_beside_a_variable_is_routed_before_it(paths: tuple[str, ...], tmp_path: Path) -> None:
    service = SmallService(write(tmp_path, _paths(*paths)))
    for path in paths:
        answer = service.ask("GET", "/v1" + path.replace("{x}", "other"))
        assert answer.body["handler"] == "things." + next(iter(_path(path).values()))["get"]["operationId"]


def test_a_schema_that_contains_itself_is_checked_to_the_end(tmp_path: Path) -> None:
    tree = {
        "type": "object", "additionalProperties": False,
        "properties": {"kids": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}},
    }  # fmt: skip
    found = _post({"$ref": "#/components/schemas/Tree"})
    found["components"]["schemas"]["Tree"] = tree
    service = SmallService(write(tmp_path, found))
    assert service.ask("POST", "/v1/things", json={"kids": [{"kids": []}]}).status == 200
    assert service.ask("POST", "/v1/things", json={"kids": [{"kids": [{"leaf": 1}]}]}).status == 422


def test_a_reference_in_an_example_is_served_as_it_is(tmp_path: Path) -> None:
    example = {"$ref": "#/definitions/Thing"}
    shown = response({"type": "object", "example": example, "enum": [{}, example]})
    shown["content"]["application/json"]["example"] = example
    found = _get(responses={"200": shown} | errors())
    service = SmallService(write(tmp_path, found), {"get_thing": returning(example)})
    assert service.ask("GET", "/v1/things").body == example


def test_words_that_were_truth_values_are_names_of_properties(tmp_path: Path) -> None:
    text = write(tmp_path, _post({"properties": {"on": {"type": "boolean"}}})).read_text(encoding="utf-8")
    (tmp_path / "contract.yaml").write_text(text.replace('"on"', "on").replace('"200"', "200"), encoding="utf-8")
    service = SmallService(tmp_path / "contract.yaml")
    assert service.ask("POST", "/v1/things", json={"on": True}).status == 200
    assert service.ask("POST", "/v1/things", json={"on": "yes"}).status == 422


def test_a_required_header_that_the_service_adds_is_in_the_response_or_the_response_is_refused(tmp_path: Path) -> None:
    tagged = response({}, headers={"ETag": {"required": True, "schema": {"type": "string"}}})
    file = write(tmp_path, _get(responses={"200": tagged} | errors()))
    assert SmallService(file, {"get_thing": returning({})}).ask("GET", "/v1/things").status == 500
    assert SmallService(file, {"get_thing": returning(WithETag({}, 1))}).ask("GET", "/v1/things").status == 200


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_ends_with_the_findings_and_no_traceback(name: str, tmp_path: Path) -> None:
    file = write(tmp_path, REFUSED["a cookie"][0])
    done = _run(COMMANDS[name], tmp_path, file)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "/things GET: `in: cookie`: Put the value into the query or a header." in done.stderr
    assert "(#/paths/~1things/get/parameters/0/in)" in done.stderr
    assert "Try:" not in done.stdout


@pytest.mark.parametrize("module", ["docsite", "web.contract.conformance"])
def test_a_tool_ends_with_the_findings_and_no_traceback(module: str, tmp_path: Path) -> None:
    file = write(tmp_path, REFUSED["a cookie"][0])
    arguments = (str(tmp_path / "docs"), "--contract", str(file)) if module == "docsite" else (str(file),)
    done = _run(("-m", module, *arguments), tmp_path, file)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "/things GET: `in: cookie`" in done.stderr
    assert not (tmp_path / "docs").exists()


def test_a_handler_that_is_missing_is_named(tmp_path: Path) -> None:
    done = _run(COMMANDS["serve"], tmp_path, write(tmp_path, _get()))
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "/things GET: " in done.stderr
    assert "write the function `get_thing` in handlers/things.py" in done.stderr


def _run(command: tuple[str, ...], folder: Path, contract: Path) -> subprocess.CompletedProcess[str]:
    variables = {
        "CONTRACT": contract,
        "DATABASE_URL": f"sqlite:///{folder / 'service.db'}",
        "KEY_PEPPER": "p" * 32,
        "DEMO_AUDIO": "none",
    }
    environment = os.environ | {f"MUSIC_STUDIO_{name}": str(value) for name, value in variables.items()}
    if command[2] == "serve":
        subprocess.run([sys.executable, "-m", "cli", "migrate"], cwd=ROOT, env=environment, check=True)
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
