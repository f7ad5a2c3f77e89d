"""The interactive reference is whole, comes from our own origin only, and is the version that was vendored."""

import base64
import hashlib
import json
import re
from typing import Any

import httpx
import pytest

from tools.testing.service import ROOT

PAGES = ROOT / "docsite" / "static"
FILES = {
    "/docs": "index.html",
    "/docs/start.js": "start.js",
    "/docs/scalar.js": "scalar.js",
    "/docs/page.css": "page.css",
}
NOWHERE = [
    "/docs/",
    "/docs/nope",
    "/docs//start.js",
    "/docs/../settings.py",
    "/docs/%2e%2e/app.py",
    "/docs/VENDORED.json",
    "/docs/api-reference",
    "/docs/api-reference/music",
    "/docs/api-reference/music/",
    "/docs/api-reference/music/nope.md",
    "/docs/api-reference/music/get-collection.html",
    "/docs/errors.md",
]
ALLOWED = {
    "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:",
    "font-src 'self' data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
}  # fmt: skip


@pytest.mark.parametrize("path", FILES)
def test_a_file_comes_as_it_is_in_the_repository(reader: httpx.Client, path: str) -> None:
    kept = (PAGES / FILES[path]).read_bytes()
    plain = reader.get(path, headers={"Accept-Encoding": "identity"})
    packed = reader.get(path, headers={"Accept-Encoding": "gzip"})
    assert plain.status_code == packed.status_code == 200
    assert plain.content == packed.content == kept
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["etag"] != packed.headers["etag"]
    assert int(packed.headers["content-length"]) < len(kept)


@pytest.mark.parametrize("path", FILES)
def test_a_file_that_the_browser_has_is_not_sent_again(reader: httpx.Client, path: str) -> None:
    first = reader.get(path)
    again = reader.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    kept = ("etag", "cache-control", "vary", "content-security-policy", "x-content-type-options")
    assert {name: again.headers[name] for name in kept} == {name: first.headers[name] for name in kept}


def test_a_file_is_asked_about_before_each_use(reader: httpx.Client) -> None:
    headers = reader.get("/docs/scalar.js").headers
    assert headers["cache-control"] == "no-cache"
    assert "Accept-Encoding" in headers["vary"].split(", ")


def test_the_page_lets_the_browser_talk_to_nobody_else(reader: httpx.Client) -> None:
    page = reader.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert set(page.headers["content-security-policy"].split("; ")) == ALLOWED


def test_the_page_names_only_what_is_served(reader: httpx.Client) -> None:
    named = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', reader.get("/docs").text)
    assert named
    assert {address: reader.get(address).status_code for address in named} == dict.fromkeys(named, 200)


def test_the_page_shows_the_contract_that_is_served(reader: httpx.Client) -> None:
    addresses = re.findall(r'"(/[^"]+)"', reader.get("/docs/start.js").text)
    assert addresses == ["/docs/openapi.json"]
    assert reader.get(addresses[0]).json()["openapi"] == "3.0.3"


@pytest.mark.parametrize("path", NOWHERE)
def test_there_is_nothing_else_below_the_page(reader: httpx.Client, path: str) -> None:
    request = reader.build_request("GET", "/docs")
    request.url = request.url.copy_with(raw_path=path.encode())
    answer = reader.send(request)
    assert answer.status_code == 404, answer.text
    assert answer.json()["error"]["code"] == "ENDPOINT_NOT_FOUND"


def test_head_of_the_page_is_its_get_without_content(reader: httpx.Client) -> None:
    got, head = reader.get("/docs"), reader.head("/docs")
    assert head.status_code == 200
    assert head.content == b""
    assert {**head.headers, "date": "", "x-request-id": ""} == {**got.headers, "date": "", "x-request-id": ""}


def test_the_page_is_only_read(reader: httpx.Client) -> None:
    answer = reader.post("/docs", json={})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_vendored_files_are_what_was_vendored() -> None:
    for name, origin in _vendored().items():
        digest = base64.b64encode(hashlib.sha512((PAGES / name).read_bytes()).digest()).decode()
        assert f"sha512-{digest}" == origin["sha512"], (
            f"docsite/static/{name} is not the file of {origin['name']} {origin['version']}. Never edit it: copy it "
            "again "
            "from the package, or write down the new version with its digests in docsite/static/VENDORED.json."
        )


def test_vendored_files_have_their_origin_and_licence() -> None:
    for name, origin in _vendored().items():
        assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", origin["version"])
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", origin["integrity"])
        licence = (PAGES / name).with_suffix(".LICENSE").read_text(encoding="utf-8")
        assert licence.startswith(f"{origin['licence']} License")


def _vendored() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((PAGES / "VENDORED.json").read_text(encoding="utf-8"))
    return found
