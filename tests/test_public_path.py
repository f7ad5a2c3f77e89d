"""A proxy that serves the service below a path and removes it: every link has the path of MUSIC_STUDIO_PUBLIC_URL."""

import re
from collections.abc import Iterator

import httpx
import pytest

import app
from docsite import assets
from docsite.assets import served_name
from mock.accounts import SECRETS
from ops import demo
from settings import Settings
from tools.testing.thread_server import serving

PUBLIC, PREFIX = "https://music.example/studio", "/studio"
COLLECTIONS = f"/v1/music/{demo.ORGANIZATION}/collections"
# Links of HTML and Markdown, and addresses for the scripts, that begin at the root of the host.
LINK = re.compile(r"""(?:href=|src=|srcset=|data-(?:search|minisearch|index|contract)=|\]\()["']?(/[^"')\s]*)""")


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """A client behind the proxy: it asks without the prefix."""
    with serving(app.create_mock(Settings(rate_limit="off", public_url=PUBLIC))) as url:
        headers = {"X-API-Key": SECRETS["alice"]}
        with httpx.Client(base_url=url, headers=headers, trust_env=False) as found:
            yield found


def test_every_link_of_the_documentation_works_behind_the_proxy(client: httpx.Client) -> None:
    seen, pending = set[str](), [f"{PREFIX}/docs", f"{PREFIX}/docs/llms.txt"]
    pending += LINK.findall(client.get("/docs/nothing", headers={"Accept": "text/html"}).text)
    while pending:
        link = pending.pop().partition("#")[0]
        if link in seen:
            continue
        seen.add(link)
        assert link.startswith(f"{PREFIX}/"), f"{link} leads out of the path of the proxy"
        found = client.get(link.removeprefix(PREFIX))
        assert found.status_code == 200, link
        if "/scalar." not in link and "/minisearch." not in link:
            pending += LINK.findall(found.text)
    named = [served_name(name) for name in assets.NAMES]
    assert {f"{PREFIX}/docs/{name}" for name in (*named, "openapi.json", "search.json", "explorer")} <= seen
    assert f"{PREFIX}/docs/api-reference/music/get-collection.md" in seen


def test_requests_of_the_reference_page_and_the_samples_have_the_path(client: httpx.Client) -> None:
    contract = client.get("/docs/openapi.json").json()
    assert [server["url"] for server in contract["servers"]] == [f"{PREFIX}/v1"]
    text = client.get("/docs/api-reference/music/get-collection.md").text
    assert f'curl "{PUBLIC}/v1/music/' in text
    listed = client.get("/docs/llms.txt").text
    assert f"({PUBLIC}/docs/api-reference/music/get-collection.md)" in listed


def test_root_leads_a_browser_below_the_path(client: httpx.Client) -> None:
    assert client.get("/", headers={"Accept": "text/html"}).headers["Location"] == f"{PREFIX}/docs"


def test_location_has_the_path(client: httpx.Client) -> None:
    made = client.post(COLLECTIONS, json={"name": "Made"})
    assert made.headers["Location"] == f"{PREFIX}{COLLECTIONS}/{made.json()['id']}"
    assert client.get(made.headers["Location"].removeprefix(PREFIX)).status_code == 200


def test_location_of_a_replay_has_the_path(client: httpx.Client) -> None:
    first, replay = (
        client.post(COLLECTIONS, json={"name": "Once"}, headers={"Idempotency-Key": "once"}) for _ in range(2)
    )
    assert first.headers["Location"] == replay.headers["Location"]
    assert replay.headers["Location"].startswith(f"{PREFIX}/v1/")
