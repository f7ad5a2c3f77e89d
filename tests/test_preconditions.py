"""Entity tags: If-None-Match gives 304, and a stale If-Match gives 412."""

import re
from typing import Any

import httpx
import pytest

from tools.testing.service import (
    NO_COLLECTION,
    ON_DATABASES,
    Service,
    Services,
    assert_envelope,
    at_once,
    new_collection,
    operations,
    order_of,
    violations,
)

Action = tuple[str, str, dict[str, Any] | None]
# Every operation that takes If-Match: method, path below the collection, body. `#n` is the n-th track.
CHANGES: dict[str, Action] = {
    "update_collection": ("PATCH", "", {"name": "Changed"}),
    "delete_collection": ("DELETE", "", None),
    "add_collection_track": ("POST", "/tracks", {"track_id": "#7"}),
    "remove_collection_track": ("DELETE", "/tracks/#1", None),
    "reorder_collection": ("PATCH", "/order", {"ordered_track_ids": ["#4", "#2"]}),
}
every_change = pytest.mark.parametrize("change", CHANGES)
READS = ("", "/tracks")


class Subject:
    """A collection with five tracks, and a client who changes it."""

    def __init__(self, client: httpx.Client, collection_id: str, tracks: list[str]) -> None:
        self.client, self.id, self.tracks = client, collection_id, tracks

    def get(self, below: str = "", **headers: str) -> httpx.Response:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(f"collections/{self.id}{below}", headers=fields)

    @property
    def tag(self) -> str:
        return str(self.get().headers["ETag"])

    def change(self, name: str, if_match: str | None = None, client: httpx.Client | None = None) -> httpx.Response:
        method, below, body = CHANGES[name]
        headers = {} if if_match is None else {"If-Match": if_match}
        path = f"collections/{self.id}{self._with_tracks(below)}"
        return (client or self.client).request(method, path, json=self._with_tracks(body), headers=headers)

    def _with_tracks(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._with_tracks(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._with_tracks(item) for item in value]
        return re.sub("#([0-9])", lambda found: self.tracks[int(found[1])], value) if isinstance(value, str) else value


@pytest.fixture
def subject(alice: httpx.Client, collection: dict[str, Any], five: list[str], tracks: list[str]) -> Subject:
    return Subject(alice, collection["id"], tracks)


def test_every_operation_with_if_match_is_tested_here() -> None:
    found = {operation.id for operation in operations() if "If-Match" in operation.parameter_names("header")}
    assert found == set(CHANGES), "An operation that takes If-Match needs its row in CHANGES of test_preconditions.py."


def test_etag_is_strong_and_covers_the_whole_collection(subject: Subject) -> None:
    assert re.fullmatch('"[!#-~]+"', subject.tag)
    assert subject.get("/tracks").headers["ETag"] == subject.tag
    assert subject.client.patch(f"collections/{subject.id}", json={}).headers["ETag"] == subject.tag


@pytest.mark.parametrize("below", READS)
@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", '"other", {tag}', '{tag},W/"other"', "*"])
def test_matching_if_none_match_gets_304(subject: Subject, below: str, form: str) -> None:
    response = subject.get(below, If_None_Match=form.format(tag=subject.tag))
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["ETag"] == subject.tag
    assert "Content-Type" not in response.headers
    assert "Content-Length" not in response.headers


@pytest.mark.parametrize("below", READS)
def test_other_if_none_match_gets_200(subject: Subject, below: str) -> None:
    old = subject.tag
    subject.change("update_collection")
    for known in (old, '"other"', f'W/{old}, "x"', '""'):
        assert subject.get(below, If_None_Match=known).status_code == 200


@pytest.mark.parametrize("below", READS)
def test_head_with_matching_if_none_match_gets_304(subject: Subject, below: str) -> None:
    path = f"collections/{subject.id}{below}"
    response = subject.client.head(path, headers={"If-None-Match": subject.tag})
    assert (response.status_code, response.headers["ETag"]) == (304, subject.tag)


@pytest.mark.parametrize("value", ["x", "7", '"unclosed', "W/", "'7'", "", '"a" "b'])
def test_malformed_entity_tag_is_invalid(subject: Subject, value: str) -> None:
    assert violations(subject.get(If_None_Match=value)) == {("header/If-None-Match", "pattern")}
    assert violations(subject.change("update_collection", value)) == {("header/If-Match", "pattern")}


@every_change
def test_change_with_current_if_match_succeeds(subject: Subject, change: str) -> None:
    assert subject.change(change, subject.tag).status_code == 200


@every_change
def test_change_with_if_match_star_succeeds(subject: Subject, change: str) -> None:
    assert subject.change(change, "*").status_code == 200


@every_change
@pytest.mark.parametrize("form", ['"999"', "W/{tag}", '""', '"x"', '"-1"', '"0{plain}"', '"99999999999999999999999"'])
def test_change_with_other_if_match_gets_412(server: Service, subject: Subject, change: str, form: str) -> None:
    tag = subject.tag
    before = server.snapshot(subject.id)
    assert_envelope(subject.change(change, form.format(tag=tag, plain=tag.strip('"'))), "PRECONDITION_FAILED")
    assert server.snapshot(subject.id) == before


@every_change
def test_stale_if_match_gets_412_even_without_effect(subject: Subject, change: str) -> None:
    old = subject.tag
    assert subject.change(change).status_code == 200
    again = subject.change(change, old)
    assert_envelope(again, "RESOURCE_NOT_FOUND" if change == "delete_collection" else "PRECONDITION_FAILED")


@every_change
def test_if_match_of_a_stranger_gets_404(
    subject: Subject, mallory: httpx.Client, bob: httpx.Client, change: str
) -> None:
    for stranger in (mallory, bob):
        for tag in (subject.tag, '"999"', "*"):
            assert_envelope(subject.change(change, tag, stranger), "RESOURCE_NOT_FOUND")


@every_change
def test_every_change_gives_a_new_etag(subject: Subject, change: str) -> None:
    seen = [subject.tag]
    if change != "delete_collection":
        subject.change(change)
        seen.append(subject.tag)
        subject.client.patch(f"collections/{subject.id}", json={"name": "Test"})
        subject.client.patch(f"collections/{subject.id}", json={"name": "Back"})
        seen.append(subject.tag)
        assert len(set(seen)) == 3


def test_change_returns_the_new_etag(subject: Subject) -> None:
    for name in ("One", "Two", "Three"):
        response = subject.client.patch(
            f"collections/{subject.id}", json={"name": name}, headers={"If-Match": subject.tag}
        )
        assert (response.status_code, response.headers["ETag"]) == (200, subject.tag)


@ON_DATABASES
@every_change
def test_required_if_match_gets_428_when_missing(
    services: Services, server: Service, subject: Subject, alice: httpx.Client, change: str
) -> None:
    strict = services.variant(server, REQUIRE_IF_MATCH="on").client(alice.headers["X-API-Key"])
    before = server.snapshot(subject.id)
    assert_envelope(subject.change(change, None, strict), "PRECONDITION_REQUIRED")
    assert server.snapshot(subject.id) == before
    assert subject.change(change, subject.tag, strict).status_code == 200


@ON_DATABASES
def test_required_if_match_does_not_apply_to_reads(services: Services, server: Service, alice: httpx.Client) -> None:
    strict = services.variant(server, REQUIRE_IF_MATCH="on").client(alice.headers["X-API-Key"])
    assert strict.get(f"collections/{new_collection(strict)['id']}").status_code == 200
    assert_envelope(strict.delete("collections/x?a=1"), "VALIDATION_ERROR")


@pytest.mark.parametrize("change", ["update_collection", "add_collection_track", "remove_collection_track"])
def test_one_of_24_concurrent_changes_with_one_etag_succeeds(subject: Subject, change: str) -> None:
    tag = subject.tag
    method, below, body = CHANGES[change]

    def race(number: int) -> httpx.Response:
        mine: dict[str, Any] | None = {"name": f"Racer {number}"} if change == "update_collection" else None
        return subject.client.request(
            method,
            f"collections/{subject.id}{subject._with_tracks(below)}",
            json=mine or subject._with_tracks(body),
            headers={"If-Match": tag},
        )

    responses = at_once(24, race)
    won = [response for response in responses if response.status_code == 200]
    assert len(won) == 1
    for lost in responses:
        assert lost in won or assert_envelope(lost, "PRECONDITION_FAILED")
    if change == "update_collection":
        assert won[0].json()["name"] == subject.get().json()["name"]


def test_one_of_24_concurrent_reorders_with_one_etag_succeeds(subject: Subject, five: list[str]) -> None:
    tag, orders = subject.tag, [five[n % 4 + 1 :] + five[: n % 4 + 1] for n in range(24)]

    def race(number: int) -> httpx.Response:
        body = {"ordered_track_ids": orders[number]}
        return subject.client.patch(f"collections/{subject.id}/order", json=body, headers={"If-Match": tag})

    won = [number for number, response in enumerate(at_once(24, race)) if response.status_code == 200]
    assert len(won) == 1
    assert order_of(subject.client, subject.id) == orders[won[0]]


def test_conditional_request_for_a_missing_collection_gets_404(alice: httpx.Client) -> None:
    for tag in ("*", '"1"'):
        response = alice.patch(f"collections/{NO_COLLECTION}", json={"name": "a"}, headers={"If-Match": tag})
        assert_envelope(response, "RESOURCE_NOT_FOUND")
    assert_envelope(alice.get(f"collections/{NO_COLLECTION}", headers={"If-None-Match": "*"}), "RESOURCE_NOT_FOUND")
