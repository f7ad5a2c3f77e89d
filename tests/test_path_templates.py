"""Path templates: literal text around variables, concrete paths before templated ones, HEAD, and server URLs."""

from collections.abc import Iterator
from typing import Any

import pytest

from tools.testing.served_contract import TEXT, Handlers, ServedContract, operation, response, served
from tools.testing.service import assert_envelope
from web.responses import WithStatus

# Each path with the names of its variables.
PATHS = {
    "/jobs/{name}": ["name"],
    "/jobs/{name}:start": ["name"],
    "/jobs/{name}:stop": ["name"],
    "/things/{name}": ["name"],
    "/things/{name}/parts": ["name"],
    "/things/latest/news": [],
    "/files/{file-name}.{ending}": ["file-name", "ending"],
    "/caf\u00e9/{name}": ["name"],
    "/a/{x}/{y}/end": ["x", "y"],
    "/a/b/{y}/other": ["y"],
}


def _path_item(path: str, names: list[str]) -> dict[str, Any]:
    parameters = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]
    return {"parameters": parameters, "get": operation(path, {"200": response({"type": "array", "items": TEXT})})}


def _handler(path: str, names: list[str]) -> Any:
    def handler(**values: str) -> list[str]:
        return [path, *values.values()]

    arguments = [name.replace("-", "_") for name in names]
    scope: dict[str, Any] = {"handler": handler}
    keywords = ", ".join(f"{name}={name}" for name in arguments)
    return eval(f"lambda {', '.join(arguments)}: handler({keywords})", scope)  # noqa: S307 - the names are those above


@pytest.fixture(scope="module")
def service() -> Iterator[ServedContract]:
    handlers: Handlers = {path: _handler(path, names) for path, names in PATHS.items()}
    with served({path: _path_item(path, names) for path, names in PATHS.items()}, handlers) as running:
        yield running


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ("/jobs/abc", ["/jobs/{name}", "abc"]),
        ("/jobs/abc:start", ["/jobs/{name}:start", "abc"]),
        ("/jobs/abc:stop", ["/jobs/{name}:stop", "abc"]),
        ("/jobs/abc:stop:start", ["/jobs/{name}:start", "abc:stop"]),
        ("/jobs/abc%3Astart", ["/jobs/{name}", "abc:start"]),
        ("/jobs/:start", ["/jobs/{name}", ":start"]),
        ("/things/latest", ["/things/{name}", "latest"]),
        ("/things/latest/parts", ["/things/{name}/parts", "latest"]),
        ("/things/latest/news", ["/things/latest/news"]),
        ("/files/report.pdf", ["/files/{file-name}.{ending}", "report", "pdf"]),
        ("/files/a.tar.gz", ["/files/{file-name}.{ending}", "a", "tar.gz"]),
        ("/caf%C3%A9/x", ["/caf\u00e9/{name}", "x"]),
        ("/caf%c3%a9/x", ["/caf\u00e9/{name}", "x"]),
        ("/a/b/c/end", ["/a/{x}/{y}/end", "b", "c"]),
        ("/a/b/c/other", ["/a/b/{y}/other", "c"]),
    ],
)
def test_the_most_concrete_path_is_found(service: ServedContract, sent: str, found: list[str]) -> None:
    assert service.client.get(sent).json() == found


@pytest.mark.parametrize("path", ["/things/new/news", "/files/report", "/files/.", "/a/x/c/other", "/caf/x", "/jobs/"])
def test_path_of_no_template_is_not_found(service: ServedContract, path: str) -> None:
    assert_envelope(service.client.get(path), "ENDPOINT_NOT_FOUND")


def test_a_path_with_many_separators_is_matched_in_linear_time(service: ServedContract) -> None:
    assert service.client.get(f"/files/a{'.' * 4000}").json()[1:] == ["a", "." * 3999]


def test_head_operation_has_its_own_handler_and_options_are_derived() -> None:
    path = {
        "head": operation("head_it", {"200": {"description": "It is there.", "headers": {"X-Size": {"schema": TEXT}}}})
    }
    with served({"/it": path}, {"head_it": lambda: WithStatus(None, 200, {"x-size": "7"})}) as service:
        head = service.client.head("/it")
        assert (head.status_code, head.headers["X-Size"]) == (200, "7")
        assert service.client.options("/it").headers["Allow"] == "HEAD, OPTIONS"
        assert_envelope(service.client.get("/it"), "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("server", "base"),
    [
        ({"url": "https://music.example/v1"}, "/v1"),
        ({"url": "https://music.example"}, ""),
        ({"url": "/"}, ""),
        ({"url": "/v1/"}, "/v1"),
        (
            {
                "url": "https://{region}.music.example/{base}",
                "variables": {"region": {"default": "eu"}, "base": {"default": "v2"}},
            },
            "/v2",
        ),
    ],
)
def test_paths_are_below_the_path_of_the_server(server: dict[str, Any], base: str) -> None:
    paths = {"/it": {"get": operation("get_it", {"200": response(TEXT)})}}
    with served(paths, {"get_it": lambda: "found"}, server=server) as service:
        assert service.client.get(f"{service.url}{base}/it").json() == "found"


def test_an_operation_at_the_root_goes_before_the_way_to_the_documentation() -> None:
    paths = {"/": {"get": operation("get_root", {"200": response(TEXT)})}}
    with served(paths, {"get_root": lambda: "found"}, server={"url": "/"}) as service:
        found = service.client.get(f"{service.url}/", headers={"Accept": "text/html,*/*;q=0.8"})
        assert (found.status_code, found.json()) == (200, "found")
