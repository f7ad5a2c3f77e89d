"""The page "Get a music collection": its three documented responses, byte for byte, from the demo data."""

import json
import re
from typing import Any, NamedTuple

import httpx
import pytest

from tools.testing import databases
from tools.testing.service import Services

PATH = "/v1/music/org_abc123/collections/mcoll_4a1f9c7e2b8d"

# The three response blocks of the page.
OK = """
{
  "id": "mcoll_4a1f9c7e2b8d",
  "name": "Focus Sessions",
  "description": "Instrumental tracks for deep work",
  "cover_track_id": "mtrack_8d2e1f6a3c9b",
  "cover_image_url": null,
  "track_count": 12,
  "created_at": "2026-06-28T10:30:00Z",
  "updated_at": "2026-06-28T11:15:00Z"
}
"""
UNAUTHORIZED = """
{
  "success": false,
  "error": {
    "code": "AUTHENTICATION_REQUIRED",
    "message": "Authentication required. Please provide a valid API key.",
    "system_message": "Missing or invalid authorization header",
    "type": "authentication_error",
    "status": 401,
    "details": {},
    "trace_id": "req_abc123xyz",
    "timestamp": "2026-06-28T10:30:00Z"
  }
}
"""
NOT_FOUND = """
{
  "success": false,
  "error": {
    "code": "RESOURCE_NOT_FOUND",
    "message": "The requested resource was not found.",
    "system_message": "Music collection not found or not owned by caller",
    "type": "client_error",
    "status": 404,
    "details": { "collection_id": "mcoll_4a1f9c7e2b8d" },
    "trace_id": "req_jkl012abc",
    "timestamp": "2026-06-28T10:30:00Z"
  }
}
"""
VARIABLE_FIELDS = re.compile(r'("trace_id":|"timestamp":)"[^"]*"')


class Demo(NamedTuple):
    """A server with the demo data, and the keys of its users."""

    url: str
    keys: dict[str, str]

    def get(self, key: str | None = None, path: str = PATH) -> httpx.Response:
        return httpx.get(self.url + path, headers={} if key is None else {"X-API-Key": key}, trust_env=False)


@pytest.fixture(scope="module", params=databases.KINDS)
def demo(request: pytest.FixtureRequest, services: Services) -> Demo:
    server = services.start(services.fresh_database(request.param))
    return Demo(server.url, server.load_demo())


def _compact(block: str) -> str:
    """The JSON without insignificant whitespace, as the service writes it."""
    return json.dumps(json.loads(block), separators=(",", ":"))


def _without_variable_fields(text: str) -> str:
    return VARIABLE_FIELDS.sub(r'\1""', text)


def test_owner_gets_the_documented_200(demo: Demo) -> None:
    response = demo.get(demo.keys["alice"])
    assert (response.status_code, response.text) == (200, _compact(OK))
    assert response.headers["Content-Type"] == "application/json"


def test_invalid_key_gets_the_documented_401(demo: Demo) -> None:
    for key in (None, "nonsense", ""):
        response = demo.get(key)
        assert (response.status_code, _without_variable_fields(response.text)) == (
            401,
            _without_variable_fields(_compact(UNAUTHORIZED)),
        )
        assert response.headers["Content-Type"] == "application/json"
        assert "WWW-Authenticate" in response.headers


@pytest.mark.parametrize("stranger", ["bob", "mallory"])
def test_stranger_gets_the_documented_404(demo: Demo, stranger: str) -> None:
    response = demo.get(demo.keys[stranger])
    assert (response.status_code, _without_variable_fields(response.text)) == (
        404,
        _without_variable_fields(_compact(NOT_FOUND)),
    )
    assert response.headers["Content-Type"] == "application/json"


def test_missing_collection_gets_the_documented_404(demo: Demo) -> None:
    other = "mcoll_0f0f0f0f0f0f"
    response = demo.get(demo.keys["alice"], PATH.replace("mcoll_4a1f9c7e2b8d", other))
    expected = _without_variable_fields(_compact(NOT_FOUND)).replace("mcoll_4a1f9c7e2b8d", other)
    assert (response.status_code, _without_variable_fields(response.text)) == (404, expected)


def test_trace_id_and_timestamp_have_the_documented_format(demo: Demo) -> None:
    error: dict[str, Any] = demo.get().json()["error"]
    assert re.fullmatch("req_[A-Za-z0-9_-]+", error["trace_id"])
    assert re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", error["timestamp"])


def test_demo_collection_has_12_tracks(demo: Demo) -> None:
    page = demo.get(demo.keys["alice"], f"{PATH}/tracks").json()
    assert [item["position"] for item in page["items"]] == list(range(12))
    assert page["items"][0]["track_id"] == "mtrack_8d2e1f6a3c9b"
