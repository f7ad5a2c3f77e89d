"""What is served below /docs: files, caching, content security policy, unknown paths, and vendored files."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from docsite import assets
from tools.testing.service import ROOT, assert_envelope
from web.docs_pages import ORIGIN

LONG = "a." * 127 + "a"

STATIC = ROOT / "docsite" / "static"
FRONT, EXPLORER, OPERATION = "/docs", "/docs/explorer", "/docs/api-reference/music/get-collection"
PAGES = (FRONT, EXPLORER, OPERATION, "/docs/focus.html", "/docs/search.json")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
UNKNOWN_PATHS = [
    "/docs/nope",
    "/docs//explorer.js",
    "/docs/../settings.py",
    "/docs/%2e%2e/app.py",
    "/docs/VENDORED.json",
    "/docs/404.html",
    "/docs/page.css",
    "/docs/page.00000000.css",
    "/docs/scalar.js.br",
    "/docs/api-reference",
    "/docs/api-reference/music",
    "/docs/api-reference/music/",
    "/docs/api-reference/music/nope.md",
    "/docs/api-reference/music/get-collection.html",
    "/docs/errors.md",
]
PAGE_POLICY = {
    "default-src 'none'", "script-src 'self'", "connect-src 'self'", "media-src 'self' blob:", "style-src 'self'",
    "img-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
}  # fmt: skip
EXPLORER_POLICY = PAGE_POLICY - {"style-src 'self'"} | {"style-src 'self' 'unsafe-inline'", "font-src 'self' data:"}


@pytest.mark.parametrize("name", assets.NAMES)
def test_file_is_served_unchanged_for_good_under_a_name_with_its_digest(reader: httpx.Client, name: str) -> None:
    kept, path = (STATIC / name).read_bytes(), f"/docs/{assets.served_name(name)}"
    assert hashlib.sha256(kept).hexdigest()[:8] in path
    plain = reader.get(path, headers={"Accept-Encoding": "identity"})
    packed = reader.get(path, headers={"Accept-Encoding": "gzip"})
    assert plain.status_code == packed.status_code == 200
    assert plain.content == packed.content == kept
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["etag"] != packed.headers["etag"]
    assert int(packed.headers["content-length"]) < len(kept)
    assert plain.headers["cache-control"] == packed.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_explorer_script_is_sent_as_it_was_packed_with_brotli(reader: httpx.Client) -> None:
    path, kept = f"/docs/{assets.served_name('scalar.js')}", (STATIC / "scalar.js.br").read_bytes()
    response = reader.get(path, headers={"Accept-Encoding": "gzip, br"})
    sent = response.content  # httpx has no decoder of brotli here
    assert response.headers["content-encoding"] == "br"
    assert response.headers["etag"].endswith('-br"')
    assert sent == kept
    assert len(sent) < 0.8 * int(reader.head(path, headers={"Accept-Encoding": "gzip"}).headers["content-length"])


def test_packed_explorer_script_is_the_script() -> None:
    unpack = "process.stdout.write(require('zlib').brotliDecompressSync(require('fs').readFileSync(process.argv[1])))"
    node = str(Path(sys.executable).with_name("node"))
    unpacked = subprocess.run([node, "-e", unpack, STATIC / "scalar.js.br"], capture_output=True, check=True).stdout
    assert unpacked == (STATIC / "scalar.js").read_bytes(), "docsite/static/scalar.js.br is outdated: `make explorer`"


@pytest.mark.parametrize("path", PAGES)
def test_page_is_revalidated_at_each_use(reader: httpx.Client, path: str) -> None:
    first = reader.get(path)
    again = reader.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert first.headers["cache-control"] == "no-cache"
    assert "Accept-Encoding" in first.headers["vary"].split(", ")
    assert again.status_code == 304
    assert again.content == b""
    kept = ("etag", "cache-control", "vary", "content-security-policy", "x-content-type-options")
    assert {name: again.headers[name] for name in kept} == {name: first.headers[name] for name in kept}


@pytest.mark.parametrize(
    ("path", "policy"), [(FRONT, PAGE_POLICY), (OPERATION, PAGE_POLICY), (EXPLORER, EXPLORER_POLICY)]
)
def test_page_has_a_strict_content_security_policy(reader: httpx.Client, path: str, policy: set[str]) -> None:
    page = reader.get(path)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert set(page.headers["content-security-policy"].split("; ")) == policy


def test_front_is_the_overview_with_and_without_a_slash(reader: httpx.Client) -> None:
    front = reader.get(FRONT)
    assert "<h1>Music Studio overview</h1>" in front.text
    assert reader.get(f"{FRONT}/").content == front.content
    assert re.findall(r'rel="canonical" href="([^"]+)"', front.text) == [f"{str(reader.base_url).rstrip('/')}/docs"]


def test_only_the_explorer_loads_its_script(reader: httpx.Client) -> None:
    scripts = {path: re.findall(r'<script[^>]* src="([^"]+)"', reader.get(path).text) for path in PAGES[:4]}
    named = {path for path, found in scripts.items() if any("scalar" in script for script in found)}
    assert named == {EXPLORER}
    assert 'data-contract="/docs/openapi.json"' in reader.get(EXPLORER).text
    assert reader.get("/docs/openapi.json").json()["openapi"] == "3.0.3"


def test_pages_have_no_script_and_no_style_in_them(reader: httpx.Client) -> None:
    for path in PAGES[:4]:
        text = reader.get(path).text
        assert not re.search(r"<style|<script(?![^>]* src=)|<[^>]+ (?:style|on\w+)=", text), path


@pytest.mark.parametrize("path", ["/docs/nope", "/docs/404.html", "/docs/api-reference/music/nope"])
def test_browser_gets_a_page_for_an_unknown_path(reader: httpx.Client, path: str) -> None:
    response = reader.get(path, headers={"Accept": BROWSER})
    assert response.status_code == 404
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert set(response.headers["content-security-policy"].split("; ")) == PAGE_POLICY
    assert (response.headers["cache-control"], "etag" in response.headers) == ("no-store", False)
    assert "Accept" in response.headers["vary"].split(", ")
    assert "<h1>No such page</h1>" in response.text
    assert 'class="search"' in response.text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_root_leads_a_browser_to_the_documentation(reader: httpx.Client, method: str) -> None:
    response = reader.request(method, "/", headers={"Accept": BROWSER})
    assert (response.status_code, response.headers["location"]) == (302, "/docs")
    assert (response.content, response.headers["cache-control"]) == (b"", "no-store")
    assert "Accept" in response.headers["vary"].split(", ")


@pytest.mark.parametrize(
    ("method", "accept"),
    [("GET", "*/*"), ("GET", "application/json"), ("GET", f"application/json,{BROWSER}"), ("POST", BROWSER)],
)
def test_root_is_no_endpoint_for_an_api_client(reader: httpx.Client, method: str, accept: str) -> None:
    assert_envelope(reader.request(method, "/", headers={"Accept": accept}), "ENDPOINT_NOT_FOUND")


def test_llms_txt_is_at_the_root_too(reader: httpx.Client) -> None:
    at_root, below = reader.get("/llms.txt"), reader.get("/docs/llms.txt")
    assert (at_root.status_code, at_root.content) == (200, below.content)
    assert at_root.headers["content-type"] == "text/markdown; charset=utf-8"
    assert reader.get("/llms.txt", headers={"If-None-Match": at_root.headers["etag"]}).status_code == 304


def test_robots_and_sitemap_name_the_pages(reader: httpx.Client) -> None:
    origin = str(reader.base_url).rstrip("/")
    robots = reader.get("/robots.txt")
    assert robots.headers["content-type"] == "text/plain; charset=utf-8"
    assert robots.text.splitlines() == [
        "User-agent: *", "Allow: /docs", "Allow: /llms.txt", "Allow: /$", "Disallow: /",
        f"Sitemap: {origin}/docs/sitemap.xml",
    ]  # fmt: skip
    listed = re.findall("<loc>([^<]+)</loc>", reader.get("/docs/sitemap.xml").text)
    assert {f"{origin}{path}" for path in (FRONT, EXPLORER, OPERATION)} < set(listed)
    assert {address: reader.get(address).status_code for address in listed} == dict.fromkeys(listed, 200)


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
