"""Pages of objects and of operations show every field, and the search finds it."""

import html
import re
from typing import Any

import httpx
import pytest

from docsite.fields import Field, FieldReader
from docsite.objects import objects
from docsite.operations import operations
from web.contract import document as contract

HOME = "/docs/api-reference/music"
DOCUMENT = contract.document()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = operations(DOCUMENT)
OBJECTS = objects(DOCUMENT, OPERATIONS)


_PAGES: dict[str, str] = {}


def _cached(reader: httpx.Client, page: str) -> str:
    if page not in _PAGES:
        _PAGES[page] = reader.get(f"{HOME}/{page}").text
    return _PAGES[page]


def _field(schema: dict[str, Any]) -> Field:
    [field] = FieldReader({}).properties({"properties": {"a": schema}}, "field")
    return field


def _text(page: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]+>", "", page)).split())


def _row(page: str, anchor: str) -> str:
    """The part of a page between a field and the next one."""
    assert page.count(f'<li id="{anchor}">') == 1, anchor
    return _text(re.split('<li id="|<h2', page.partition(f'<li id="{anchor}">')[2])[0])


def test_every_schema_of_a_success_response_has_a_page() -> None:
    named = {o.body_schema(o.success).get("$ref", "").rpartition("/")[2] for o in OPERATIONS} - {""}
    assert len(named) > 10
    assert named <= {found.name for found in OBJECTS}
    assert "ErrorEnvelope" in {found.name for found in OBJECTS}


@pytest.mark.parametrize("found", OBJECTS, ids=lambda found: found.name)
def test_page_of_an_object_shows_type_limits_and_text_of_every_field(reader: httpx.Client, found: Any) -> None:
    page = reader.get(f"{HOME}/{found.slug}").text
    assert f"<h1>{found.title}</h1>" in page
    properties = SCHEMAS[found.name]["properties"]
    for name, node in properties.items():
        schema = contract.lookup(DOCUMENT, node)
        row = _row(page, f"field.{name}")
        assert row.startswith(f"{name} {schema.get('type', '')}")
        assert ("or null" in row) == bool(schema.get("nullable")), row
        assert _text(str(schema.get("description", ""))).replace("`", "")[:60] in row
        assert all(str(value) in row for value in schema.get("enum", []) if value is not None)
        assert schema.get("format", "") in row
    markdown = reader.get(f"{HOME}/{found.slug}.md").text
    assert all(f"**`{name}`**" in markdown for name in properties)


def test_page_of_an_operation_has_an_anchor_for_every_parameter_and_body_field(reader: httpx.Client) -> None:
    for operation in OPERATIONS:
        page = reader.get(f"{HOME}/{operation.slug}").text
        anchors = [f"{node['in']}.{node['name']}" for node in operation.parameters]
        anchors += [f"body.{name}" for name in operation.body_properties()]
        for anchor in anchors:
            assert f'<li id="{anchor}">' in page, (operation.id, anchor)
            assert f'href="#{anchor}"' in page


def test_page_of_an_operation_has_every_response_header_with_its_type_and_text(reader: httpx.Client) -> None:
    for operation in OPERATIONS:
        page, text = (_cached(reader, f"{operation.slug}{suffix}") for suffix in ("", ".md"))
        listed = text.partition("\n## Response headers\n")[2].partition("\nErrors\n")[0]
        for status, response in operation.responses.items():
            for name, node in response["headers"].items():
                header = contract.lookup(DOCUMENT, node)
                anchors = [f"response.{name}", f"response.{name}.{status}"]
                rows = [_row(page, anchor) for anchor in anchors if f'<li id="{anchor}">' in page]
                wanted = f"{name} {header['schema']['type']} {_text(header['description']).replace('`', '')}"
                assert any(row.startswith(wanted[:80]) for row in rows), (operation.id, name, status)
                assert f"`{name}`" in listed


def test_header_of_a_few_operations_is_open_and_one_of_most_is_folded(reader: httpx.Client) -> None:
    section = _cached(reader, "create-collection").partition('id="response-headers"')[2].partition('id="errors"')[0]
    own, _, folded = section.partition("<details")
    anchors = [re.findall(r'<li id="response\.([^"]+)"', part) for part in (own, folded)]
    assert anchors[0] == ["Location", "ETag", "Idempotent-Replayed", "Accept-Post"]
    assert {"X-Request-ID", "RateLimit", "Retry-After"} <= set(anchors[1])
    assert "Comes with 201." in _row(own, "response.ETag")
    assert "Comes with every status." in _row(folded, "response.X-Request-ID")
    assert "Comes with every error." in _row(folded, "response.Link")
    guide = _cached(reader, "requests.md").partition("\n## Response headers\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([^`]+)`", guide, re.MULTILINE) == anchors[1]


def test_header_with_two_meanings_has_two_anchors(reader: httpx.Client) -> None:
    page = _cached(reader, "create-generation")
    assert "seconds to wait" in _row(page, "response.Retry-After")
    assert "spend limit" in _row(page, "response.Retry-After.429")


def test_page_of_an_operation_offers_to_try_it(reader: httpx.Client) -> None:
    for operation in OPERATIONS:
        form = reader.get(f"{HOME}/{operation.slug}").text.partition("<form ")[2].partition("</form>")[0]
        assert f'data-method="{operation.method}" data-url="{operation.path}"' in html.unescape(form)
        assert ('data-header="X-API-Key"' in form) == operation.secured
        assert re.findall('name="([^"]+)" data-in="(?:path|query|header)"', form) == [
            node["name"] for place in ("path", "query", "header") for node in operation.parameters_in(place)
        ]


@pytest.mark.parametrize(
    ("schema", "facts"),
    [
        ({"type": "string", "maxLength": 1}, ["at most 1 character"]),
        ({"type": "string", "minLength": 1, "maxLength": 5}, ["1 to 5 characters"]),
        ({"type": "string", "minLength": 0, "maxLength": 5}, ["at most 5 characters"]),
        ({"type": "string", "minLength": 8, "maxLength": 8}, ["exactly 8 characters"]),
        ({"type": "integer", "minimum": 0, "maximum": 10000, "default": 50}, ["0 to 10,000", "default `50`"]),
        ({"type": "integer", "minimum": 1}, ["at least 1"]),
        ({"type": "array", "items": {}, "minItems": 1, "uniqueItems": True}, ["at least 1 item", "each item once"]),
        ({"type": "string", "format": "date-time", "pattern": "^a+$"}, ["format `date-time`", "pattern `^a+$`"]),
        ({"type": "string", "pattern": "a" * 100}, []),
    ],
)
def test_facts_of_a_field_are_its_limits_in_words(schema: dict[str, Any], facts: list[str]) -> None:
    assert _field(schema).facts == facts


def test_fields_of_an_object_without_a_name_are_below_it() -> None:
    field = _field({"type": "array", "items": {"properties": {"b": {"type": "string"}}}})
    assert [child.anchor for child in field.all()] == ["field.a", "field.a.b"]


def test_search_index_has_every_page_operation_field_and_error_code(reader: httpx.Client) -> None:
    entries = reader.get("/docs/search.json").json()
    paths = {entry["path"] for entry in entries}
    assert {operation.slug for operation in OPERATIONS} | {found.slug for found in OBJECTS} <= paths
    assert {f"errors#{code.lower()}" for code in SCHEMAS["ErrorCode"]["enum"]} <= paths
    assert {f"{found.slug}#field.{name}" for found in OBJECTS for name in SCHEMAS[found.name]["properties"]} <= paths
    for operation in OPERATIONS:
        assert {f"{operation.slug}#{node['in']}.{node['name']}" for node in operation.parameters} <= paths
    assert {"create-collection#response.Location", "requests#response-headers"} <= paths
    assert {"introduction", "tutorial", "errors", "changelog", "libraries", "testing"} <= paths
    for path in sorted(paths):
        page, _, anchor = path.partition("#")
        assert not anchor or f'id="{anchor}"' in _cached(reader, page), path


def test_llms_full_has_the_text_of_every_page(reader: httpx.Client) -> None:
    everything = reader.get("/docs/llms-full.txt").text
    for slug in [operation.slug for operation in OPERATIONS] + [found.slug for found in OBJECTS] + ["errors", "paging"]:
        assert reader.get(f"{HOME}/{slug}.md").text.strip() in everything
