"""Every link and every anchor of the documentation leads somewhere: of the served pages, and of the static site."""

import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urljoin

import httpx
import pytest

from tools.testing.service import ROOT

SERVER = "https://music.example"
MARKDOWN_LINK = re.compile(r"\]\((?!#)([^)\s]+)\)")
XML_LINK = re.compile("<loc>([^<]+)</loc>")
# Documentation of tools, licences and standards that other hosts serve.
ELSEWHERE = re.compile(
    r"https://(?:schemathesis\.readthedocs\.io|github\.com|specmatic\.io|keepachangelog\.com|semver\.org)"
)


class Page(NamedTuple):
    """What a page leads to, and the anchors that it has; `None` for a file without anchors."""

    links: list[str]
    anchors: set[str] | None


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if (
                name in ("href", "src", "srcset", "data-index", "data-search", "data-minisearch", "data-contract")
                and value
            ):
                self.links.append(value)
            if name == "id" and value:
                self.ids.append(value)


def _page(path: str, text: str) -> Page:
    if text.startswith("<!doctype html>"):
        reader = _Reader()
        reader.feed(text)
        assert len(reader.ids) == len(set(reader.ids)), f"{path} has an anchor twice"
        return Page(reader.links, set(reader.ids))
    if path.endswith((".md", "llms.txt")):
        return Page(MARKDOWN_LINK.findall(re.sub(r"^```[\s\S]*?^```", "", text, flags=re.MULTILINE)), None)
    return Page(XML_LINK.findall(text) if path.endswith(".xml") else [], None)


def _walk(read: Callable[[str], str], origin: str, start: list[str]) -> dict[str, Page]:
    """All pages that can be reached, by address; fails at a link or an anchor that leads nowhere."""
    found: dict[str, Page] = {}
    wanted: dict[str, set[str]] = {}
    pending = [f"{origin}{path}" for path in start]
    while pending:
        address = pending.pop()
        if address in found:
            continue
        path = address.removeprefix(origin)
        found[address] = _page(path, read(path))
        for link in found[address].links:
            target, fragment = urldefrag(urljoin(address, link))
            if target.startswith("data:") or ELSEWHERE.match(target):
                continue
            assert target.startswith(f"{origin}/"), f"{path} leads to {link}"
            wanted.setdefault(target, set()).add(unquote(fragment))
            pending.append(target)
    for target, fragments in wanted.items():
        missing = fragments - {""} - (found[target].anchors or set())
        assert not missing, f"{target} has no {sorted(missing)}"
    return found


@pytest.mark.slow
def test_every_link_and_anchor_of_the_served_pages_leads_somewhere(reader: httpx.Client) -> None:
    def read(path: str) -> str:
        response = reader.get(path)
        assert response.status_code == 200, path
        return response.text

    found = _walk(
        read, str(reader.base_url).rstrip("/"), ["/docs", "/docs/llms.txt", "/docs/sitemap.xml", "/robots.txt"]
    )
    anchored = [page for page in found.values() if page.anchors]
    assert len(anchored) > 80
    assert len({anchor for page in anchored for anchor in page.anchors or ()}) > 300


@pytest.mark.slow
def test_every_link_and_anchor_of_the_static_site_leads_somewhere(reader: httpx.Client, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "docsite", str(tmp_path / "docs"), "--server", SERVER]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    def read(path: str) -> str:
        if path.startswith("/v1/"):  # what only the service has
            assert reader.get(path).status_code == 200, path
            return ""
        file = tmp_path / path.removeprefix("/")
        return (file if file.suffix else file / "index.html").read_text(encoding="utf-8")

    found = _walk(read, SERVER, ["/docs", "/docs/llms.txt", "/docs/sitemap.xml", "/docs/404.html"])
    assert len([page for page in found.values() if page.anchors]) > 80


def test_requests_and_links_of_the_static_site_go_to_its_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "docsite", str(tmp_path), "--server", SERVER]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    page = (tmp_path / "api-reference/music/get-collection/index.html").read_text(encoding="utf-8")
    assert f'data-url="{SERVER}/v1/music/{{organization_id}}/collections/{{collection_id}}"' in page
    assert f'data-api="{SERVER}/v1/music/"' in (tmp_path / "focus.html").read_text(encoding="utf-8")
    assert f'href="{SERVER}/v1/openapi.json"' in (tmp_path / "index.html").read_text(encoding="utf-8")
