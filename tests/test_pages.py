"""The interactive reference at /docs: static files, caching, content security policy, and vendored files."""

import base64
import hashlib
import json
import re
from typing import Any

import httpx
import pytest

from tools.testing.service import ROOT
from web.docs_pages import ORIGIN

LONG = "a." * 127 + "a"

STATIC = ROOT / "docsite" / "static"
FILES = {
    "/docs": "index.html",
    "/docs/start.js": "start.js",
    "/docs/scalar.js": "scalar.js",
    "/docs/page.css": "page.css",
    "/docs/focus.html": "focus.html",
    "/docs/focus.js": "focus.js",
}
UNKNOWN_PATHS = [
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
CONTENT_SECURITY_POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:",
    "font-src 'self' data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
}  # fmt: skip


@pytest.mark.parametrize("path", FILES)
def test_static_file_is_served_unchanged(reader: httpx.Client, path: str) -> None:
    kept = (STATIC / FILES[path]).read_bytes()
    plain = reader.get(path, headers={"Accept-Encoding": "identity"})
    packed = reader.get(path, headers={"Accept-Encoding": "gzip"})
    assert plain.status_code == packed.status_code == 200
    assert plain.content == packed.content == kept
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["etag"] != packed.headers["etag"]
    assert int(packed.headers["content-length"]) < len(kept)


@pytest.mark.parametrize("path", FILES)
def test_static_file_with_known_etag_gets_304(reader: httpx.Client, path: str) -> None:
    first = reader.get(path)
    again = reader.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    kept = ("etag", "cache-control", "vary", "content-security-policy", "x-content-type-options")
    assert {name: again.headers[name] for name in kept} == {name: first.headers[name] for name in kept}


def test_static_file_has_cache_control_no_cache(reader: httpx.Client) -> None:
    headers = reader.get("/docs/scalar.js").headers
    assert headers["cache-control"] == "no-cache"
    assert "Accept-Encoding" in headers["vary"].split(", ")


def test_docs_page_has_a_strict_content_security_policy(reader: httpx.Client) -> None:
    page = reader.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert set(page.headers["content-security-policy"].split("; ")) == CONTENT_SECURITY_POLICY


def test_docs_page_references_are_served(reader: httpx.Client) -> None:
    named = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', reader.get("/docs").text)
    assert named
    assert {address: reader.get(address).status_code for address in named} == dict.fromkeys(named, 200)


def test_docs_page_loads_the_served_contract(reader: httpx.Client) -> None:
    addresses = re.findall(r'"(/[^"]+)"', reader.get("/docs/start.js").text)
    assert addresses == ["/docs/openapi.json"]
    assert reader.get(addresses[0]).json()["openapi"] == "3.0.3"


@pytest.mark.parametrize("path", UNKNOWN_PATHS)
def test_unknown_docs_path_gets_404(reader: httpx.Client, path: str) -> None:
    request = reader.build_request("GET", "/docs")
    request.url = request.url.copy_with(raw_path=path.encode())
    response = reader.send(request)
    assert response.status_code == 404, response.text
    assert response.json()["error"]["code"] == "ENDPOINT_NOT_FOUND"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("music.example", "http://music.example"), ("music.example:8443", "http://music.example:8443"),
        ("[2001:db8::1]:81", "http://[2001:db8::1]:81"), (LONG, f"http://{LONG}"), (f"a{LONG}", ORIGIN),
        ("a,b", ORIGIN), ("a'b", ORIGIN), ("a%22b", ORIGIN), ("a;b", ORIGIN), ("", ORIGIN),
    ],
)  # fmt: skip
def test_samples_name_the_host_of_the_request_if_it_is_one(reader: httpx.Client, host: str, shown: str) -> None:
    page = reader.get("/docs/api-reference/music/get-liveness.md", headers={"Host": host})
    assert page.status_code == 200
    assert f"{shown}/v1/health/live" in page.text
    assert shown == ORIGIN or ORIGIN not in page.text


def test_head_of_docs_page_has_the_headers_of_get(reader: httpx.Client) -> None:
    got, head = reader.get("/docs"), reader.head("/docs")
    assert head.status_code == 200
    assert head.content == b""
    assert {**head.headers, "date": "", "x-request-id": ""} == {**got.headers, "date": "", "x-request-id": ""}


def test_post_to_docs_page_gets_405(reader: httpx.Client) -> None:
    response = reader.post("/docs", json={})
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"


def test_vendored_files_match_their_digests() -> None:
    for name, origin in _vendored().items():
        digest = base64.b64encode(hashlib.sha512((STATIC / name).read_bytes()).digest()).decode()
        assert f"sha512-{digest}" == origin["sha512"], (
            f"docsite/static/{name} is not the file of {origin['name']} {origin['version']}. Copy it again "
            "from the package, or set the new version with its digests in docsite/static/VENDORED.json."
        )


def test_vendored_files_have_their_origin_and_licence() -> None:
    for name, origin in _vendored().items():
        assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", origin["version"])
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", origin["integrity"])
        licence = (STATIC / name).with_suffix(".LICENSE").read_text(encoding="utf-8")
        assert licence.startswith(f"{origin['licence']} License")


def _vendored() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((STATIC / "VENDORED.json").read_text(encoding="utf-8"))
    return found
