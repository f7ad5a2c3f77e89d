"""Collections and their tracks: every operation through HTTP."""

import random
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from models.db import connection
from models.schema import collections
from tools.testing.service import (
    HOME,
    NO_COLLECTION,
    NO_TRACK,
    ON_DATABASES,
    Service,
    add_all,
    new_collection,
    order_of,
    violations,
)

Action = tuple[str, str, dict[str, Any] | None]
FIELDS = [
    "id", "name", "description", "cover_track_id", "cover_image_url", "track_count", "created_at", "updated_at",
]  # fmt: skip
SECOND = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
CONTROLS = ["a\x00b", "a\nb", "a\tb", "\x1b[31m", "a\x7f", "a\x85b", "a\x9fb"]
BLANKS = ["", " ", "   ", "\u00a0", "\u2003\u3000", "\u2028", "\ufeff"]
NAMES = [
    "Café",
    "Cafe\u0301",
    "עברית \u200f العربية",
    "日本語の曲",
    "👩‍👩‍👧‍👦 family",
    "𝄞 clef",
    "  blanks around  ",
    "'; DROP TABLE collections; --",
    '<script>alert("x")</script>',
    'back\\slash "quotes" /slash',
    "null",
    "x\ufffdy\ufffe",
]
GOOD_URLS = [
    "http://example.org",
    "https://example.org/covers/1.png?size=2&x=%20#top",
    "https://user@example.org:8443/a",
    "http://127.0.0.1/a.png",
    "https://example.org/" + "a" * 1004,
]
BAD_URLS = [
    "", " ", "ftp://example.org/a.png", "javascript:alert(1)", "data:image/png;base64,AA==", "example.org/a.png",
    "//example.org/a.png", "https://", "https:///a.png", "https://[", "https://a[b", "http:/example.org",
    "https://exa mple.org", "https://example.org/\n", "https://bücher.example", "https://example.org/" + "a" * 1005,
    "https://example.org/<b>",
]  # fmt: skip


def test_list_without_parameters_has_the_documented_defaults(newcomer: httpx.Client) -> None:
    response = newcomer.get("collections")
    assert response.status_code == 200
    assert response.json() == {"items": [], "limit": 50, "offset": 0}
    assert list(response.json()) == ["items", "limit", "offset"]


@pytest.mark.parametrize(("limit", "offset"), [(1, 0), (100, 1), (7, 2_147_483_647)])
def test_list_echoes_limit_and_offset(alice: httpx.Client, limit: int, offset: int) -> None:
    page = alice.get("collections", params={"limit": limit, "offset": offset}).json()
    assert (page["limit"], page["offset"]) == (limit, offset)


def test_list_without_limit_returns_50(newcomer: httpx.Client) -> None:
    for _ in range(51):
        new_collection(newcomer)
    assert len(newcomer.get("collections").json()["items"]) == 50
    assert len(newcomer.get("collections", params={"limit": 100}).json()["items"]) == 51


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("limit=0", ("query/limit", "minimum")),
        ("limit=101", ("query/limit", "maximum")),
        ("limit=-1", ("query/limit", "minimum")),
        ("limit=99999999999999999999", ("query/limit", "type")),
        ("offset=-1", ("query/offset", "minimum")),
        ("offset=2147483648", ("query/offset", "maximum")),
        ("offset=x", ("query/offset", "type")),
        ("colour=red", ("query/colour", "additionalProperties")),
        ("Limit=1", ("query/Limit", "additionalProperties")),
        *((f"limit={text}", ("query/limit", "type"))
          for text in ("", "ten", "1.0", "1e1", "1_0", "%201", "%2B1", "01", "0x1", "%D9%A3", "1%0A", "true")),
    ],
)  # fmt: skip
def test_list_rejects_invalid_parameters(alice: httpx.Client, query: str, found: tuple[str, str]) -> None:
    assert violations(alice.get(f"collections?{query}")) == {found}


def test_list_rejects_a_duplicate_parameter(alice: httpx.Client) -> None:
    assert {pointer for pointer, _ in violations(alice.get("collections?limit=1&limit=2"))} == {"query/limit"}


def test_list_reports_all_invalid_parameters_together(alice: httpx.Client) -> None:
    found = violations(alice.get("collections?limit=0&offset=-1&colour=red"))
    assert {pointer for pointer, _ in found} == {"query/limit", "query/offset", "query/colour"}


def test_the_newest_collection_comes_first(newcomer: httpx.Client) -> None:
    made = [new_collection(newcomer, name=name)["id"] for name in "abc"]
    assert _listed(newcomer) == made[::-1]


def test_pagination_is_stable_for_equal_creation_times(server: Service, newcomer: httpx.Client) -> None:
    made = [new_collection(newcomer)["id"] for _ in range(7)]
    for collection_id in made:
        server.age(collection_id)
    pages = [newcomer.get("collections", params={"limit": 2, "offset": offset}).json() for offset in (0, 2, 4, 6, 8)]
    seen = [item["id"] for page in pages for item in page["items"]]
    assert sorted(seen) == sorted(made)
    assert seen == _listed(newcomer)


def test_update_keeps_the_position_in_the_list(newcomer: httpx.Client) -> None:
    first, second = new_collection(newcomer), new_collection(newcomer)
    newcomer.patch(f"collections/{first['id']}", json={"name": "Changed"})
    assert _listed(newcomer) == [second["id"], first["id"]]


def test_list_has_no_track_count(newcomer: httpx.Client, newcomers_track: str) -> None:
    made = new_collection(newcomer, description="With a track")
    add_all(newcomer, made["id"], [newcomers_track])
    [item] = newcomer.get("collections").json()["items"]
    shown = newcomer.get(f"collections/{made['id']}").json()
    assert shown["track_count"] == 1
    assert item == shown | {"track_count": None}
    assert list(item) == FIELDS


def test_create_returns_an_empty_collection_and_its_location(alice: httpx.Client) -> None:
    response = alice.post("collections", json={"name": "Focus"})
    made = response.json()
    assert response.status_code == 201
    assert re.fullmatch("mcoll_[0-9a-f]{12}", made["id"])
    assert list(made) == FIELDS
    assert [made[name] for name in FIELDS[1:6]] == ["Focus", None, None, None, 0]
    assert made["created_at"] == made["updated_at"]
    assert response.headers["Location"] == f"/v1/music/{HOME}/collections/{made['id']}"
    again = alice.get(str(httpx.URL(alice.base_url).join(response.headers["Location"])))
    assert (again.json(), again.headers["ETag"]) == (made, response.headers["ETag"])


def test_timestamps_are_current_utc_in_whole_seconds(alice: httpx.Client) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    made = new_collection(alice)
    assert SECOND.fullmatch(made["created_at"])
    assert SECOND.fullmatch(made["updated_at"])
    assert before <= datetime.fromisoformat(made["created_at"]) <= datetime.now(UTC)


def test_create_accepts_every_optional_field(alice: httpx.Client, tracks: list[str]) -> None:
    sent = {
        "name": "All",
        "description": "Tab\tand\nline",
        "cover_track_id": tracks[0],
        "cover_image_url": GOOD_URLS[1],
    }
    made = new_collection(alice, **sent)
    assert {name: made[name] for name in sent} == sent


def test_optional_fields_may_be_sent_as_null(alice: httpx.Client) -> None:
    sent = {"name": "Nulls", "description": None, "cover_track_id": None, "cover_image_url": None}
    made = new_collection(alice, **sent)
    assert {name: made[name] for name in sent} == sent


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_stored_as_it_was_sent(alice: httpx.Client, name: str) -> None:
    made = new_collection(alice, name=name)
    assert alice.get(f"collections/{made['id']}").json()["name"] == made["name"] == name


@pytest.mark.parametrize(
    "name", ["a", "a" * 512, "𝄞" * 512, "e\u0301" * 256], ids=["1", "512", "512 astral", "combining"]
)
def test_a_name_may_have_512_code_points(alice: httpx.Client, name: str) -> None:
    assert new_collection(alice, name=name)["name"] == name


@pytest.mark.parametrize("name", ["a" * 513, "𝄞" * 513], ids=["513", "513 astral"])
def test_a_name_longer_than_512_code_points_is_invalid(alice: httpx.Client, name: str) -> None:
    assert violations(alice.post("collections", json={"name": name})) == {("/name", "maxLength")}


@pytest.mark.parametrize("name", [*BLANKS, *CONTROLS], ids=ascii)
def test_blank_name_or_control_character_is_invalid(alice: httpx.Client, collection: dict[str, Any], name: str) -> None:
    for response in (
        alice.post("collections", json={"name": name}),
        alice.patch(f"collections/{collection['id']}", json={"name": name}),
    ):
        assert {pointer for pointer, _ in violations(response)} == {"/name"}


@pytest.mark.parametrize("body", [b'{"name": "\\ud800"}', b'{"name": "a", "description": "\\udfff x"}'])
def test_lone_surrogate_is_malformed(alice: httpx.Client, body: bytes) -> None:
    response = alice.post("collections", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("value", [None, 1, 1.5, True, [], {}, ["a"]], ids=repr)
@pytest.mark.parametrize("field", ["name", "description", "cover_track_id", "cover_image_url"])
def test_non_string_field_is_invalid(alice: httpx.Client, field: str, value: object) -> None:
    response = alice.post("collections", json={"name": "Typed"} | {field: value})
    if value is None and field != "name":
        assert response.status_code == 201
    else:
        assert violations(response) == {(f"/{field}", "type")}


def test_a_name_is_required(alice: httpx.Client) -> None:
    assert violations(alice.post("collections", json={})) == {("/name", "required")}


@pytest.mark.parametrize(
    "field",
    ["colour", "id", "owner_id", "organization_id", "track_count", "version", "created_at", "deleted_at", "Name"],
)
def test_read_only_or_unknown_field_is_invalid(alice: httpx.Client, collection: dict[str, Any], field: str) -> None:
    body = {"name": "Mine", field: "mcoll_0123456789ab"}
    for response in (alice.post("collections", json=body), alice.patch(f"collections/{collection['id']}", json=body)):
        assert violations(response) == {(f"/{field}", "additionalProperties")}


@pytest.mark.parametrize("body", ["null", "[]", "1", '"name"', "true"])
def test_body_must_be_an_object(alice: httpx.Client, collection: dict[str, Any], body: str) -> None:
    json = {"Content-Type": "application/json"}
    for method, path in (("POST", "collections"), ("PATCH", f"collections/{collection['id']}")):
        assert violations(alice.request(method, path, content=body, headers=json)) == {("", "type")}


def test_a_body_is_required(alice: httpx.Client, collection: dict[str, Any]) -> None:
    path = f"collections/{collection['id']}"
    for method, at in (
        ("POST", "collections"),
        ("PATCH", path),
        ("POST", f"{path}/tracks"),
        ("PATCH", f"{path}/order"),
    ):
        response = alice.request(method, at, headers={"Content-Type": "application/json"})
        assert response.status_code in {400, 422}, f"{method} {at}: {response.text}"


def test_all_violations_are_reported_together(alice: httpx.Client) -> None:
    body = {"name": "", "description": 1, "cover_track_id": "x", "cover_image_url": "ftp://x", "colour": "red"}
    pointers = {pointer for pointer, _ in violations(alice.post("collections", json=body))}
    assert pointers == {"/name", "/description", "/cover_track_id", "/cover_image_url", "/colour"}


def test_description_has_at_most_4096_code_points(alice: httpx.Client) -> None:
    assert new_collection(alice, description="𝄞" * 4096)["description"] == "𝄞" * 4096
    assert violations(alice.post("collections", json={"name": "Long", "description": "a" * 4097})) == {
        ("/description", "maxLength")
    }


@pytest.mark.parametrize("text", ["", " ", "line\nbreak\r\n\ttab", "\x01\x1f\x7f"], ids=ascii)
def test_a_description_may_hold_lines_and_tabs(alice: httpx.Client, text: str) -> None:
    assert new_collection(alice, description=text)["description"] == text


def test_a_description_holds_no_null_character(alice: httpx.Client) -> None:
    assert violations(alice.post("collections", json={"name": "a", "description": "a\x00b"})) == {
        ("/description", "pattern")
    }


@pytest.mark.parametrize("url", GOOD_URLS, ids=lambda url: url[:40])
def test_cover_image_accepts_http_urls(alice: httpx.Client, url: str) -> None:
    assert new_collection(alice, cover_image_url=url)["cover_image_url"] == url


@pytest.mark.parametrize("url", BAD_URLS, ids=lambda url: ascii(url[:40]))
def test_cover_image_rejects_other_urls(alice: httpx.Client, collection: dict[str, Any], url: str) -> None:
    for response in (
        alice.post("collections", json={"name": "Cover", "cover_image_url": url}),
        alice.patch(f"collections/{collection['id']}", json={"cover_image_url": url}),
    ):
        assert {pointer for pointer, _ in violations(response)} == {"/cover_image_url"}


def test_a_cover_track_must_be_of_the_organization(
    alice: httpx.Client, collection: dict[str, Any], foreign_track: str
) -> None:
    path = f"collections/{collection['id']}"
    for track_id in (NO_TRACK, foreign_track):
        body = {"name": "Cover", "cover_track_id": track_id}
        for response in (alice.post("collections", json=body), alice.patch(path, json=body)):
            assert violations(response) == {("/cover_track_id", "reference")}
    assert alice.get(path).json() == collection


def test_get_returns_the_track_count(alice: httpx.Client, collection: dict[str, Any], five: list[str]) -> None:
    response = alice.get(f"collections/{collection['id']}")
    assert (response.status_code, list(response.json())) == (200, FIELDS)
    assert response.json()["track_count"] == 5


def test_not_found_error_names_the_collection(alice: httpx.Client) -> None:
    response = alice.get(f"collections/{NO_COLLECTION}")
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["details"]) == (
        404, "RESOURCE_NOT_FOUND", {"collection_id": NO_COLLECTION},
    )  # fmt: skip
    assert error["system_message"] == "Music collection not found or not owned by caller"


CHANGES: list[dict[str, Any]] = [
    {"name": "New name"},
    {"description": "New"},
    {"description": None},
    {"cover_image_url": "https://example.org/new.png"},
    {"cover_image_url": None},
    {"cover_track_id": None},
    {"name": "Two", "description": "at once"},
]


@pytest.mark.parametrize("change", CHANGES, ids=repr)
def test_update_changes_only_the_sent_fields(
    server: Service, alice: httpx.Client, tracks: list[str], change: dict[str, Any]
) -> None:
    made = new_collection(alice, description="Old", cover_track_id=tracks[0], cover_image_url=GOOD_URLS[0])
    long_ago = server.age(made["id"])
    response = alice.patch(f"collections/{made['id']}", json=change)
    changed = response.json()
    assert response.status_code == 200
    assert changed == made | change | {"created_at": long_ago, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > long_ago
    assert alice.get(f"collections/{made['id']}").json() == changed


def test_a_cover_track_can_be_chosen_later(alice: httpx.Client, collection: dict[str, Any], tracks: list[str]) -> None:
    changed = alice.patch(f"collections/{collection['id']}", json={"cover_track_id": tracks[3]}).json()
    assert (changed["cover_track_id"], changed["track_count"]) == (tracks[3], 0)


def test_update_returns_the_track_count(alice: httpx.Client, collection: dict[str, Any], five: list[str]) -> None:
    assert alice.patch(f"collections/{collection['id']}", json={"name": "Counted"}).json()["track_count"] == 5


def test_name_cannot_be_set_to_null(alice: httpx.Client, collection: dict[str, Any]) -> None:
    assert violations(alice.patch(f"collections/{collection['id']}", json={"name": None})) == {("/name", "type")}
    assert alice.get(f"collections/{collection['id']}").json() == collection


def test_invalid_update_changes_nothing(alice: httpx.Client, collection: dict[str, Any]) -> None:
    body = {"name": "Half", "cover_track_id": NO_TRACK}
    assert alice.patch(f"collections/{collection['id']}", json=body).status_code == 422
    assert alice.get(f"collections/{collection['id']}").json() == collection


# Actions without and with effect on updated_at and the ETag: method, path below the collection, body.

IDLE: dict[str, Action] = {
    "empty patch": ("PATCH", "", {}),
    "patch with the present values": ("PATCH", "", {"name": "Test", "description": None}),
    "add a member again": ("POST", "/tracks", {"track_id": "#0"}),
    "remove a track that is no member": ("DELETE", "/tracks/#7", None),
    "remove an unknown track": ("DELETE", f"/tracks/{NO_TRACK}", None),
    "reorder to the same order": ("PATCH", "/order", {"ordered_track_ids": ["#0", "#1", "#2", "#3", "#4"]}),
    "reorder nothing": ("PATCH", "/order", {"ordered_track_ids": []}),
    "reorder non-members only": ("PATCH", "/order", {"ordered_track_ids": ["#7", NO_TRACK]}),
    "list the first track first": ("PATCH", "/order", {"ordered_track_ids": ["#0"]}),
}
EFFECTIVE: dict[str, Action] = {
    "patch": ("PATCH", "", {"name": "Other"}),
    "add": ("POST", "/tracks", {"track_id": "#7"}),
    "remove": ("DELETE", "/tracks/#2", None),
    "reorder": ("PATCH", "/order", {"ordered_track_ids": ["#3"]}),
}


@pytest.mark.parametrize("action", [*IDLE, *EFFECTIVE])
def test_updated_at_and_etag_change_only_with_content(
    server: Service, alice: httpx.Client, collection: dict[str, Any], five: list[str], tracks: list[str], action: str
) -> None:
    long_ago = server.age(collection["id"])
    before = alice.get(f"collections/{collection['id']}")
    method, path, body = _filled((IDLE | EFFECTIVE)[action], tracks)
    assert alice.request(method, f"collections/{collection['id']}{path}", json=body).status_code == 200
    after = alice.get(f"collections/{collection['id']}")
    moved = (after.json()["updated_at"] != long_ago, after.headers["ETag"] != before.headers["ETag"])
    assert moved == ((True, True) if action in EFFECTIVE else (False, False))
    assert after.json()["created_at"] == long_ago


def test_repeated_delete_gets_404(alice: httpx.Client, collection: dict[str, Any]) -> None:
    path = f"collections/{collection['id']}"
    response = alice.delete(path)
    assert response.status_code == 200
    assert response.json() == {"success": True, "id": collection["id"], "detail": "Collection deleted."}
    assert list(response.json()) == ["success", "id", "detail"]
    assert alice.delete(path).status_code == 404


def test_deleted_collection_is_not_found_by_every_operation(
    alice: httpx.Client, collection: dict[str, Any], five: list[str]
) -> None:
    path = f"collections/{collection['id']}"
    alice.delete(path)
    for method, at, body in (
        ("GET", path, None),
        ("PATCH", path, {"name": "Ghost"}),
        ("DELETE", path, None),
        ("GET", f"{path}/tracks", None),
        ("POST", f"{path}/tracks", {"track_id": five[0]}),
        ("DELETE", f"{path}/tracks/{five[0]}", None),
        ("PATCH", f"{path}/order", {"ordered_track_ids": five}),
    ):
        response = alice.request(method, at, json=body)
        assert (response.status_code, response.json()["error"]["details"]) == (404, {"collection_id": collection["id"]})
    assert collection["id"] not in _listed(alice)


@ON_DATABASES
def test_delete_is_soft_and_keeps_the_tracks(
    server: Service, alice: httpx.Client, collection: dict[str, Any], five: list[str]
) -> None:
    other = new_collection(alice)
    add_all(alice, other["id"], five)
    alice.delete(f"collections/{collection['id']}")
    assert order_of(alice, other["id"]) == five
    with server.use_database():
        rows = connection.fetch_all(select(collections.c.deleted_at).where(collections.c.id == collection["id"]))
    assert [row.deleted_at is not None for row in rows] == [True]


def test_adding_a_track_is_acknowledged(alice: httpx.Client, collection: dict[str, Any], tracks: list[str]) -> None:
    response = alice.post(f"collections/{collection['id']}/tracks", json={"track_id": tracks[0]})
    assert response.status_code == 200
    assert response.json() == {"success": True, "id": tracks[0], "detail": "Track added to collection."}


def test_adding_a_track_is_idempotent(alice: httpx.Client, collection: dict[str, Any], tracks: list[str]) -> None:
    add_all(alice, collection["id"], [tracks[1], tracks[0], tracks[1], tracks[2], tracks[0]])
    assert order_of(alice, collection["id"]) == [tracks[1], tracks[0], tracks[2]]
    assert alice.get(f"collections/{collection['id']}").json()["track_count"] == 3


def test_a_track_may_be_in_many_collections(alice: httpx.Client, tracks: list[str]) -> None:
    made = [new_collection(alice)["id"] for _ in range(3)]
    for collection_id in made:
        add_all(alice, collection_id, tracks[:2])
    assert [order_of(alice, collection_id) for collection_id in made] == [tracks[:2]] * 3


def test_unknown_or_foreign_track_is_not_found(
    alice: httpx.Client, collection: dict[str, Any], foreign_track: str
) -> None:
    for track_id in (NO_TRACK, foreign_track):
        response = alice.post(f"collections/{collection['id']}/tracks", json={"track_id": track_id})
        error = response.json()["error"]
        assert (response.status_code, error["details"]) == (404, {"track_id": track_id})
        assert error["system_message"] == "Track not found in this organization"
    assert order_of(alice, collection["id"]) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, ("/track_id", "required")),
        ({"track_id": None}, ("/track_id", "type")),
        ({"track_id": "mtrack_X"}, ("/track_id", "pattern")),
        ({"track_id": "mtrack_8D2E1F6A3C9B"}, ("/track_id", "pattern")),
        ({"track_id": NO_TRACK, "position": 0}, ("/position", "additionalProperties")),
    ],
    ids=repr,
)
def test_add_track_body_has_only_track_id(
    alice: httpx.Client, collection: dict[str, Any], body: dict[str, Any], found: tuple[str, str]
) -> None:
    assert violations(alice.post(f"collections/{collection['id']}/tracks", json=body)) == {found}


def test_a_track_list_has_the_documented_form(alice: httpx.Client, collection: dict[str, Any], five: list[str]) -> None:
    response = alice.get(f"collections/{collection['id']}/tracks")
    page = response.json()
    assert response.status_code == 200
    assert list(page) == ["collection_id", "items", "limit", "offset"]
    assert (page["collection_id"], page["limit"], page["offset"]) == (collection["id"], 200, 0)
    assert [list(item) for item in page["items"]] == [["track_id", "position", "added_at"]] * 5
    assert all(SECOND.fullmatch(item["added_at"]) for item in page["items"])
    assert [item["track_id"] for item in page["items"]] == five


@pytest.mark.parametrize(("limit", "offset", "positions"), [(2, 0, [0, 1]), (2, 3, [3, 4]), (500, 4, [4]), (1, 5, [])])
def test_track_page_has_absolute_positions(
    alice: httpx.Client, collection: dict[str, Any], five: list[str], limit: int, offset: int, positions: list[int]
) -> None:
    page = alice.get(f"collections/{collection['id']}/tracks", params={"limit": limit, "offset": offset}).json()
    assert (page["limit"], page["offset"]) == (limit, offset)
    assert [(item["position"], item["track_id"]) for item in page["items"]] == [(i, five[i]) for i in positions]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("limit=0", ("query/limit", "minimum")),
        ("limit=501", ("query/limit", "maximum")),
        ("offset=-1", ("query/offset", "minimum")),
        ("sort=title", ("query/sort", "additionalProperties")),
    ],
)
def test_track_list_rejects_invalid_parameters(
    alice: httpx.Client, collection: dict[str, Any], query: str, found: tuple[str, str]
) -> None:
    assert violations(alice.get(f"collections/{collection['id']}/tracks?{query}")) == {found}


def test_removing_a_track_is_idempotent(alice: httpx.Client, collection: dict[str, Any], five: list[str]) -> None:
    for _ in range(2):
        response = alice.delete(f"collections/{collection['id']}/tracks/{five[1]}")
        assert response.status_code == 200
        assert response.json() == {"success": True, "id": five[1], "detail": "Track removed from collection."}
    assert order_of(alice, collection["id"]) == [five[0], *five[2:]]
    assert alice.get(f"collections/{collection['id']}").json()["track_count"] == 4


def test_positions_stay_dense_after_removal(
    alice: httpx.Client, collection: dict[str, Any], five: list[str], tracks: list[str]
) -> None:
    for gone in (five[0], five[4], five[2]):
        alice.delete(f"collections/{collection['id']}/tracks/{gone}")
        assert gone not in order_of(alice, collection["id"])
    add_all(alice, collection["id"], [five[2], tracks[9]])
    assert order_of(alice, collection["id"]) == [five[1], five[3], five[2], tracks[9]]


@pytest.mark.parametrize(
    "track_id", ["x", "mtrack_XYZ", "mcoll_4a1f9c7e2b8d", "mtrack_8D2E1F6A3C9B", "mtrack_8d2e1f6a3c9b0"]
)
def test_malformed_track_id_in_a_path_is_not_found(
    alice: httpx.Client, collection: dict[str, Any], track_id: str
) -> None:
    response = alice.delete(f"collections/{collection['id']}/tracks/{track_id}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("", "01234"),
        ("4", "40123"),
        ("20", "20134"),
        ("43210", "43210"),
        ("01234", "01234"),
        ("9x37", "30124"),
        ("8x", "01234"),
        ("14x0", "14023"),
    ],
)
def test_reorder_puts_listed_tracks_first(
    alice: httpx.Client, collection: dict[str, Any], five: list[str], tracks: list[str], listed: str, expected: str
) -> None:
    ids = [NO_TRACK if sign == "x" else tracks[int(sign)] for sign in listed]
    response = alice.patch(f"collections/{collection['id']}/order", json={"ordered_track_ids": ids})
    assert response.status_code == 200
    assert response.json() == {"success": True, "id": collection["id"], "detail": "Collection reordered."}
    assert order_of(alice, collection["id"]) == [tracks[int(sign)] for sign in expected]


def test_reorder_ignores_tracks_of_other_collections(
    alice: httpx.Client, collection: dict[str, Any], five: list[str], tracks: list[str], foreign_track: str
) -> None:
    other = new_collection(alice)
    add_all(alice, other["id"], tracks[5:8])
    ids = [tracks[7], foreign_track, five[1], tracks[6]]
    assert alice.patch(f"collections/{collection['id']}/order", json={"ordered_track_ids": ids}).status_code == 200
    assert order_of(alice, collection["id"]) == [five[1], five[0], *five[2:]]
    assert order_of(alice, other["id"]) == tracks[5:8]


def test_repeated_reorders_match_a_list(alice: httpx.Client, collection: dict[str, Any], tracks: list[str]) -> None:
    add_all(alice, collection["id"], tracks)
    chance, model = random.Random(5), list(tracks)
    for _ in range(60):
        ids = chance.sample(tracks, chance.choice([1, 1, 2, 3, 12]))
        model = ids + [track for track in model if track not in ids]
        assert alice.patch(f"collections/{collection['id']}/order", json={"ordered_track_ids": ids}).status_code == 200
        assert order_of(alice, collection["id"]) == model


def test_reorder_rejects_duplicate_track_ids(alice: httpx.Client, collection: dict[str, Any], five: list[str]) -> None:
    ids = [five[2], five[1], five[2]]
    response = alice.patch(f"collections/{collection['id']}/order", json={"ordered_track_ids": ids})
    assert violations(response) == {("/ordered_track_ids", "uniqueItems")}
    assert order_of(alice, collection["id"]) == five


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, {("/ordered_track_ids", "required")}),
        ({"ordered_track_ids": None}, {("/ordered_track_ids", "type")}),
        ({"ordered_track_ids": "mtrack_8d2e1f6a3c9b"}, {("/ordered_track_ids", "type")}),
        ({"ordered_track_ids": [NO_TRACK, "x"]}, {("/ordered_track_ids/1", "pattern")}),
        ({"ordered_track_ids": [1, None]}, {("/ordered_track_ids/0", "type"), ("/ordered_track_ids/1", "type")}),
        ({"ordered_track_ids": [], "position": 1}, {("/position", "additionalProperties")}),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else None,  # a set has no stable repr
)
def test_reorder_body_must_be_a_list_of_track_ids(
    alice: httpx.Client, collection: dict[str, Any], body: dict[str, Any], found: set[tuple[str, str]]
) -> None:
    assert violations(alice.patch(f"collections/{collection['id']}/order", json=body)) == found


def test_reorder_accepts_at_most_10000_track_ids(alice: httpx.Client, collection: dict[str, Any]) -> None:
    ids = [f"mtrack_{number:012x}" for number in range(10_001)]
    path = f"collections/{collection['id']}/order"
    assert violations(alice.patch(path, json={"ordered_track_ids": ids})) == {("/ordered_track_ids", "maxItems")}
    assert alice.patch(path, json={"ordered_track_ids": ids[1:]}).status_code == 200


@pytest.mark.slow
def test_collection_holds_at_most_10000_tracks(
    server: Service, alice: httpx.Client, collection: dict[str, Any]
) -> None:
    made = server.make_tracks(10_001)
    server.fill(collection["id"], made[:9_999])
    path = f"collections/{collection['id']}"
    add_all(alice, collection["id"], [made[9_999]])
    assert alice.get(path).json()["track_count"] == 10_000
    refused = alice.post(f"{path}/tracks", json={"track_id": made[10_000]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "COLLECTION_FULL")
    add_all(alice, collection["id"], [made[0]])  # a member may be added again
    assert alice.post(f"{path}/tracks", json={"track_id": NO_TRACK}).status_code == 404
    last = alice.get(f"{path}/tracks", params={"limit": 1, "offset": 9_999}).json()["items"]
    assert [(item["track_id"], item["position"]) for item in last] == [(made[9_999], 9_999)]
    assert alice.delete(f"{path}/tracks/{made[5]}").status_code == 200
    add_all(alice, collection["id"], [made[10_000]])
    whole = made[9_999::-1]
    assert alice.patch(f"{path}/order", json={"ordered_track_ids": whole}).status_code == 200
    first = alice.get(f"{path}/tracks", params={"limit": 2}).json()["items"]
    assert [item["track_id"] for item in first] == [made[9_999], made[9_998]]


def _listed(client: httpx.Client) -> list[str]:
    return [item["id"] for item in client.get("collections", params={"limit": 100}).json()["items"]]


def _filled(action: Action, tracks: list[str]) -> Action:
    """The action with `#n` replaced by the n-th track."""

    def name(text: str) -> str:
        return re.sub("#([0-9])", lambda found: tracks[int(found[1])], text)

    method, path, body = action
    if body is not None:
        body = {key: [name(i) for i in value] if isinstance(value, list) else value and name(value)
                for key, value in body.items()}  # fmt: skip
    return method, name(path), body
