"""The reference pages: generated from the contract, complete, and with valid links."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from markupsafe import escape

from docsite import guides, html, samples
from docsite.objects import objects
from docsite.operations import Operation, operations
from tools.testing.service import ROOT, Services
from web.contract import document as contract
from web.docs_pages import ORIGIN
from web.error_envelope import ErrorCatalog

HOME = "/docs/api-reference/music"
CODES = contract.document()["components"]["schemas"]["ErrorCode"]["enum"]
OPERATIONS = operations(contract.document())
OBJECTS = objects(contract.document(), OPERATIONS)
GUIDES = guides.guides({operation.id for operation in OPERATIONS})
FIRST_PAGE_URL = "https://music.example"
# The original page, in pieces: code blocks, paragraphs, lists.
FIRST_PAGE = (ROOT / "tests" / "first_page.md").read_text(encoding="utf-8")
PIECES = re.findall(r"```[\s\S]*?```|[^\n]+(?:\n[^\n]+)*", FIRST_PAGE)


def _text(reader: httpx.Client, path: str) -> str:
    response = reader.get(path)
    assert response.status_code == 200, response.text
    return response.text


def test_first_page_is_split_into_pieces_of_every_kind() -> None:
    kinds = ("# Get", "## Path", "## Returns", "```bash cURL", "```json 200 OK", "```json 404 Not Found", "## Related")
    assert all(any(piece.startswith(kind) for piece in PIECES) for kind in kinds)
    assert "".join("".join(PIECES).split()) == "".join(FIRST_PAGE.split())


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.splitlines()[0][:40])
def test_get_collection_page_contains_the_first_page(reader: httpx.Client, piece: str) -> None:
    page = _text(reader, f"{HOME}/get-collection.md")
    wanted = piece.replace(FIRST_PAGE_URL, str(reader.base_url).rstrip("/"))
    assert wanted in page, f"the page lacks:\n{wanted}"


def test_get_collection_page_keeps_the_order_of_the_first_page(reader: httpx.Client) -> None:
    page = _text(reader, f"{HOME}/get-collection.md")
    found = [page.index(f"\n{piece.splitlines()[0]}\n") for piece in PIECES[1:]]
    assert found == sorted(found)


def test_every_operation_has_an_html_and_a_markdown_page(reader: httpx.Client) -> None:
    for operation in OPERATIONS:
        text, page = _text(reader, f"{HOME}/{operation.slug}.md"), _text(reader, f"{HOME}/{operation.slug}")
        assert text.startswith(f"# {operation.summary}\n\n{operation.description}\n")
        assert f"<title>{escape(operation.summary)} · Music Studio API</title>" in page
        assert re.search('<meta name="description" content="[^"]{20,}">', page)


def test_a_page_shows_every_error_that_the_operation_documents(reader: httpx.Client) -> None:
    for operation in OPERATIONS:
        text = _text(reader, f"{HOME}/{operation.slug}.md").partition("\nErrors\n")[2]
        shown = [json.loads(block) for block in re.findall(r"```json \d{3} .*\n(\{\n[\s\S]*?\n\})\n```", text)]
        assert shown == [example.value for example in operation.errors]
        documented = {status for status in operation.by_status if status >= 400}
        assert {block["error"]["status"] for block in shown} == documented


@pytest.mark.parametrize("language", [it for it in samples.LANGUAGES if not it.template.startswith("client.")])
def test_samples_without_a_client_make_a_new_key_for_what_takes_one(language: samples.Language) -> None:
    keyed = {operation.id for operation in OPERATIONS if "Idempotency-Key" in _headers_of(operation)}
    sent = {o.id: re.findall("Idempotency-Key.*", samples.write(o, language, ORIGIN)) for o in OPERATIONS}
    assert keyed == {name for name, lines in sent.items() if lines} >= {"create_collection", "create_generation"}
    random = re.compile(r"openssl rand|uuid4\(\)|randomUUID\(\)|random_bytes|SecureRandom")
    assert all(random.search(line) for lines in sent.values() for line in lines)


def _headers_of(operation: Operation) -> set[str]:
    return {node["name"] for node in operation.parameters_in("header")}


def test_errors_page_has_one_anchor_per_code(reader: httpx.Client) -> None:
    anchors = re.findall(r'<h2 id="([^"]+)"', _text(reader, f"{HOME}/errors"))
    assert sorted(anchors) == sorted(code.lower() for code in CODES)


def test_errors_page_has_description_and_remedy_per_code(reader: httpx.Client) -> None:
    page = _text(reader, f"{HOME}/errors.md")
    for code, entry in contract.document()["components"]["schemas"]["ErrorCode"]["x-errors"].items():
        section = page.partition(f"\n## {code}\n")[2].partition("\n## ")[0]
        texts = (str(entry["status"]), entry["type"], entry["message"], entry["description"], entry["remedy"])
        assert all(text.strip() in section for text in texts), f"{code}: {section}"
        (example,) = re.findall(r"```json .*\n([\s\S]*?)\n```", section)
        assert json.loads(example)["error"]["code"] == code


def test_errors_page_lists_the_operations_of_a_code(reader: httpx.Client) -> None:
    page = _text(reader, f"{HOME}/errors.md")
    full = page.partition("\n## COLLECTION_FULL\n")[2].partition("\n## ")[0]
    assert re.findall(r"\]\((/docs/[^)]+)\)", full) == [f"{HOME}/add-collection-track"]
    assert "Every operation." in page.partition("\n## MALFORMED_REQUEST\n")[2].partition("\n## ")[0]


def test_tutorial_page_equals_the_tested_tutorial(reader: httpx.Client) -> None:
    text = _text(reader, f"{HOME}/tutorial.md")
    # The tutorial is for the reader's own mock, so the URL of this server is not inserted.
    stored = (ROOT / "docsite" / "tutorial.md").read_text(encoding="utf-8")
    assert text == stored.replace("http://127.0.0.1:8080", "http://localhost:8080")
    anchors = re.findall(r'<h[1-3] id="([^"]+)"', _text(reader, f"{HOME}/tutorial"))
    assert len(anchors) == len(set(anchors)) == len(re.findall("^#+ ", text, re.MULTILINE))


def test_changelog_page_equals_changelog_md(reader: httpx.Client) -> None:
    assert _text(reader, f"{HOME}/changelog.md") == (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_tutorial_page_calls_localhost(reader: httpx.Client) -> None:
    stored = (ROOT / "docsite" / "tutorial.md").read_text(encoding="utf-8")
    assert "export SERVER=http://127.0.0.1:8080\n" in stored
    assert _text(reader, f"{HOME}/tutorial.md") == stored.replace("http://127.0.0.1:8080", "http://localhost:8080")


def test_llms_txt_follows_its_format(reader: httpx.Client) -> None:
    text = _text(reader, "/docs/llms.txt")
    assert re.match(r"# Music Studio API\n\n> [^\n]+\n\n", text)
    links = re.findall(r"^- \[[^\]]+\]\((http[^)\s]+)\): \S.*$", text, re.MULTILINE)
    assert {f"{str(reader.base_url).rstrip('/')}{HOME}/{o.slug}.md" for o in OPERATIONS} < set(links)
    assert {link: reader.get(link).status_code for link in links} == dict.fromkeys(links, 200)


@pytest.mark.parametrize("slug", ["introduction", "compatibility"])
def test_page_names_every_view_of_the_contract(reader: httpx.Client, slug: str) -> None:
    page = _text(reader, f"{HOME}/{slug}.md")
    for view in ("openapi.json", "openapi.client.json", "openapi.3.1.json", "openapi.yaml"):
        assert f"/v1/{view}" in page, view


def test_documentation_named_by_the_contract_is_served(reader: httpx.Client) -> None:
    assert reader.get(contract.document()["externalDocs"]["url"]).status_code == 200
    for code, entry in ErrorCatalog(contract.document()).entries.items():
        page, _, anchor = entry.link.partition(">")[0].removeprefix("<").partition("#")
        assert f'id="{anchor}"' in _text(reader, page), code


def test_interactive_reference_has_the_contract_with_samples(reader: httpx.Client) -> None:
    shown, stored = reader.get("/docs/openapi.json").json(), reader.get("/v1/openapi.json").json()
    found = {}
    for operation in OPERATIONS:
        node = shown["paths"][operation.template][operation.method.lower()]
        found[operation.id] = [sample["label"] for sample in node.pop("x-codeSamples")]
    introduction = shown["info"].pop("description")
    assert introduction.startswith(stored["info"].pop("description"))
    assert f"]({HOME}/errors)" in introduction
    assert shown == stored
    labels = [language.label for language in samples.LANGUAGES]
    assert found == {operation.id: labels for operation in OPERATIONS}


def test_samples_use_the_host_header(reader: httpx.Client) -> None:
    address = "music.example:4433"
    text = reader.get(f"{HOME}/get-collection.md", headers={"Host": address}).text
    assert f'curl "http://{address}/v1/music/' in text
    assert "127.0.0.1:8080" not in text


def test_invalid_host_header_is_not_used_in_samples(reader: httpx.Client) -> None:
    text = reader.get(f"{HOME}/get-collection.md", headers={"Host": "$(reboot)"}).text
    assert "reboot" not in text
    assert 'curl "http://127.0.0.1:8080/v1/music/' in text


def test_samples_use_the_public_url_setting(services: Services) -> None:
    server = services.variant(services.actors("sqlite").service, PUBLIC_URL="https://music.example")
    text = httpx.get(f"{server.url}{HOME}/get-collection.md", trust_env=False).text
    assert 'curl "https://music.example/v1/music/' in text
    assert server.url not in text


def test_static_site_equals_the_served_pages_but_for_the_address(reader: httpx.Client, tmp_path: Path) -> None:
    origin = str(reader.base_url).rstrip("/")
    absolute, relative = f"{origin}/v1".encode(), b"/v1"
    command = [sys.executable, "-m", "docsite", str(tmp_path / "docs"), "--server", origin]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    files = [file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".br"]
    browser = {"Accept": "text/html"}
    served = {file: reader.get(f"/{file}".removesuffix("/index.html"), headers=browser).content for file in files}
    written = {file: (tmp_path / file).read_bytes() for file in files}
    assert {Path("docs") / name for name in ("index.html", "404.html", "sitemap.xml", "robots.txt")} < set(files)
    assert len(files) > 2 * (len(OBJECTS) + len(OPERATIONS) + len(GUIDES))
    assert json.loads(written[Path("docs/openapi.json")])["servers"][0]["url"] == f"{origin}/v1"
    for file in files:  # pages for browsers are beside the API
        found, other = (page[file].replace(absolute, relative) for page in (written, served))
        assert found.replace(f'"{origin}/'.encode(), b'"/') == other.replace(f'"{origin}/'.encode(), b'"/'), file


def test_literals_are_formatted_per_language() -> None:
    value: dict[str, Any] = {"a": None, "b": [True, 'it\'s #{1} "$x"'], "c": {}}
    written = {name: samples.literal(value, name) for name in ("json", "python", "javascript", "php", "ruby")}
    assert json.loads(written["json"]) == value
    assert '"a": None' in written["python"]
    assert "b: [true, 'it\\'s #{1} \"$x\"']" in written["javascript"]
    assert "'b' => [true, 'it\\'s #{1} \"$x\"']" in written["php"]
    assert '"b" => [true, "it\'s \\#{1} \\"$x\\""]' in written["ruby"]


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "a <img src=x onerror=alert(1)>", "<!-- a -->", "<a\nb>"]
)
def test_html_in_markdown_is_escaped(text: str) -> None:
    page = html.render(text)
    assert not re.search(r"<(?!/?p>)", page)
    assert "&lt;" in page


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,a", "vbscript:a"])
def test_link_of_a_script_is_no_link(address: str) -> None:
    assert "href" not in html.render(f"[a]({address})")
