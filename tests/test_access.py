"""Access matrix: every operation with every wrong caller and every wrong id."""

import re
import secrets

import httpx
import pytest

from models.key_format import new_secret
from tools.testing.probes import PROBES, TRACK, Scene
from tools.testing.service import (
    ALICE,
    AWAY,
    HOME,
    NO_COLLECTION,
    NO_JOB,
    NO_SESSION,
    NO_SHARE,
    NO_TOKEN,
    NO_TRACK,
    READ,
    WRITE,
    Service,
    assert_envelope,
    new_collection,
    operations,
)
from web.contract.reading import OperationObject

PUBLIC = {"get_liveness", "get_readiness", "get_openapi_json", "get_openapi_client_json", "get_openapi_v31_json"}
# Public by the seal in the address.
SEALED = {"get_audio"}
# Open to whoever has the token in the address: to everybody, and save_shared_track to everybody with a credential.
TOKEN_IS_ENOUGH = {"get_shared_audio", "get_shared_page", "resolve_share", "save_shared_track"}
# Response to an unknown id and to one of another organization, by operation and body field.
IDS_IN_BODIES = {
    ("create_collection", "cover_track_id"): (422, "VALIDATION_ERROR"),
    ("update_collection", "cover_track_id"): (422, "VALIDATION_ERROR"),
    ("add_collection_track", "track_id"): (404, "RESOURCE_NOT_FOUND"),
    ("reorder_collection", "ordered_track_ids"): (200, None),
    ("create_generation", "seed_track_id"): (422, "VALIDATION_ERROR"),
}
# The caller's own organizations: any other one is refused, whether or not it exists.
ORGANIZATIONS_IN_BODIES = {("save_shared_track", "organization_id")}
MALFORMED = {
    "organization_id": ["org_", "org_a-b", "home1", "ORG_home1", "org_" + "a" * 33, "%27%20OR%201=1--"],
    "collection_id": ["mcoll_", "mcoll_4A1F9C7E2B8D", "mcoll_4a1f9c7e2b8d0", "mtrack_4a1f9c7e2b8d", "1"],
    "track_id": ["mtrack_", "mtrack_8D2E1F6A3C9B", "mtrack_8d2e1f6a3c9b0", "mcoll_8d2e1f6a3c9b", "1"],
    "share_id": ["mslink_", "mslink_5D2F8C1A7E94", "mslink_5d2f8c1a7e940", "mlib_5d2f8c1a7e94", "1"],
    "token": ["shr_", "shr_" + "A" * 32, "shr_" + "0" * 33, "0" * 32, "msk_" + "0" * 32, "%27%20OR%201=1--"],
    "job_id": ["mjob_", "mjob_3E8B5D1F7A2C", "mjob_3e8b5d1f7a2c0", "mtrack_3e8b5d1f7a2c", "1"],
    "session_id": ["mfocus_", "mfocus_5D0B7E3A9C14", "mfocus_5d0b7e3a9c140", "mjob_5d0b7e3a9c14", "1"],
}
ON_NO_RESOURCE = {
    "list_collections", "create_collection", "list_tracks", "list_engines", "list_generations", "create_generation",
    "get_usage", "list_focus_sessions", "list_shares", "start_focus_session",
}  # fmt: skip
# The operations of a track, which others than its creator may hear: its status for each caller. The saver has the track
# in the library, the guest has it in the library of another organization, the neighbour belongs to the organization.
HEARD = {
    "get_track": {"creator": 200, "saver": 200, "guest": 200, "neighbour": 404, "stranger": 404},
    "save_track": {"creator": 200, "saver": 200, "guest": 200, "neighbour": 404, "stranger": 404},
    "unsave_track": {"creator": 200, "saver": 200, "guest": 200, "neighbour": 404, "stranger": 404},
    "delete_track": {"creator": 200, "saver": 403, "guest": 403, "neighbour": 404, "stranger": 404},
    "share_track": {"creator": 201, "saver": 404, "guest": 404, "neighbour": 404, "stranger": 404},
}

SECURED = [operation for operation in operations() if not operation.is_public]
every_operation = pytest.mark.parametrize("operation", SECURED, ids=lambda operation: operation.id)


def test_every_operation_has_a_row() -> None:
    secured = {operation.id for operation in SECURED}
    assert secured == set(PROBES), (
        f"Operations without a row: {sorted(secured - set(PROBES))}; without an operation: {set(PROBES) - secured}.\n"
        "Add the operation to PROBES in tools/testing/probes.py, with a valid body. Every wrong caller "
        "and every wrong id is then tested on it. Do not skip this: it is the test of access control."
    )


def test_every_id_in_a_body_has_a_row() -> None:
    found = {(operation.id, name) for operation in SECURED for name in operation.body_properties() if _is_id(name)}
    known = set(IDS_IN_BODIES) | ORGANIZATIONS_IN_BODIES
    assert found == known, (
        f"Ids in bodies without a row: {sorted(found - known)}.\n"
        "Add the response to an id of another organization to IDS_IN_BODIES in tests/test_access.py."
    )


def test_every_id_in_a_path_has_malformed_forms() -> None:
    found = {name for operation in SECURED for name in operation.parameter_names("path")}
    assert found == set(MALFORMED), (
        "Add the malformed forms of a new path parameter to MALFORMED in tests/test_access.py."
    )


def test_only_the_service_operations_are_public(server: Service) -> None:
    public = [operation for operation in operations() if operation.is_public]
    of_a_secret = SEALED | (TOKEN_IS_ENOUGH - set(PROBES))
    assert {operation.id for operation in public} == PUBLIC | of_a_secret, "A public operation is a decision: add it."
    for operation in public:
        if operation.id in of_a_secret:
            continue
        assert server.client().request(operation.method, server.url + operation.path).status_code == 200


@every_operation
def test_the_owner_succeeds(scene: Scene, operation: OperationObject) -> None:
    response = scene.ask(scene.alice, operation)
    assert response.status_code == min(int(status) for status in operation.node["responses"]), response.text


@every_operation
def test_invalid_credentials_get_401(scene: Scene, operation: OperationObject) -> None:
    service = scene.service
    for client, code in (
        (service.client(), "AUTHENTICATION_REQUIRED"),
        (service.client("nonsense"), "AUTHENTICATION_REQUIRED"),
        (service.client(new_secret()), "AUTHENTICATION_REQUIRED"),
        (service.client(service.expired_key(ALICE)), "API_KEY_EXPIRED"),
        (service.client(service.key(ALICE, state="paused")[1]), "API_KEY_PAUSED"),
        (service.client(service.key(ALICE, state="deactivated")[1]), "API_KEY_DEACTIVATED"),
    ):
        assert "WWW-Authenticate" in scene.refused(client, operation, code).headers


@every_operation
def test_key_without_the_scope_gets_403(scene: Scene, operation: OperationObject) -> None:
    needed = operation.node["x-scope"]
    lacking = READ if needed == WRITE else WRITE
    for scopes in ([lacking], []):
        unauthorized = scene.service.client(scene.service.key(ALICE, scopes=scopes)[1])
        scene.refused(unauthorized, operation, "INSUFFICIENT_PERMISSIONS")
    assert scene.ask(scene.service.client(scene.service.key(ALICE, scopes=[needed])[1]), operation).status_code < 300


@every_operation
def test_another_users_resource_gets_the_404_of_a_missing_one(
    scene: Scene, bob: httpx.Client, mallory: httpx.Client, operation: OperationObject
) -> None:
    for stranger in (bob, mallory):
        if operation.id not in ON_NO_RESOURCE | TOKEN_IS_ENOUGH:
            foreign = scene.refused(stranger, operation, "RESOURCE_NOT_FOUND")
            absent = scene.refused(stranger, operation, "RESOURCE_NOT_FOUND", **_absent_id(operation))
            assert _normalized(foreign) == _normalized(absent)


@pytest.mark.parametrize(
    "operation", [one for one in SECURED if "organization_id" in one.path_names], ids=lambda operation: operation.id
)
def test_another_organization_gets_the_error_of_a_missing_one(
    scene: Scene, mallory: httpx.Client, operation: OperationObject
) -> None:
    code = "ORGANIZATION_ACCESS_DENIED" if operation.id in ON_NO_RESOURCE else "RESOURCE_NOT_FOUND"
    for client, theirs in ((mallory, HOME), (scene.alice, AWAY)):
        foreign = scene.refused(client, operation, code, organization_id=theirs)
        absent = scene.refused(client, operation, code, organization_id="org_none" + theirs[-1])
        assert _normalized(foreign) == _normalized(absent)


@every_operation
def test_owners_key_for_another_organization_has_no_access(scene: Scene, operation: OperationObject) -> None:
    """The rows belong to the user; the key is for another organization."""
    away = scene.service.client(scene.service.key(ALICE, AWAY)[1], AWAY)
    if operation.id in TOKEN_IS_ENOUGH:
        assert scene.ask(away, operation).headers["Location"] == f"/v1/music/{AWAY}/tracks/{scene.ids['track_id']}"
        return
    code = "ORGANIZATION_ACCESS_DENIED" if operation.id in ON_NO_RESOURCE else "RESOURCE_NOT_FOUND"
    scene.refused(away, operation, code)


def test_list_contains_only_the_callers_collections(scene: Scene, bob: httpx.Client) -> None:
    theirs = new_collection(bob)["id"]
    listed = [item["id"] for item in bob.get("collections", params={"limit": 100}).json()["items"]]
    assert theirs in listed
    assert scene.ids["collection_id"] not in listed
    assert_envelope(bob.get(f"{scene.service.url}/v1/music/{AWAY}/collections"), "ORGANIZATION_ACCESS_DENIED")


@every_operation
def test_unknown_id_in_a_path_is_not_found(scene: Scene, operation: OperationObject) -> None:
    if "collection_id" in operation.parameter_names("path"):
        response = scene.refused(scene.alice, operation, "RESOURCE_NOT_FOUND", collection_id=NO_COLLECTION)
        assert response.json()["error"]["details"] == {"collection_id": NO_COLLECTION}
    if "job_id" in operation.parameter_names("path"):
        response = scene.refused(scene.alice, operation, "RESOURCE_NOT_FOUND", job_id=NO_JOB)
        assert response.json()["error"]["details"] == {"job_id": NO_JOB}
    if "share_id" in operation.parameter_names("path"):
        response = scene.refused(scene.alice, operation, "RESOURCE_NOT_FOUND", share_id=NO_SHARE)
        assert response.json()["error"]["details"] == {"share_id": NO_SHARE}
    if "token" in operation.parameter_names("path"):
        response = scene.refused(scene.alice, operation, "RESOURCE_NOT_FOUND", token=NO_TOKEN)
        assert response.json()["error"]["details"] == {}
    if "session_id" in operation.parameter_names("path"):
        response = scene.refused(scene.alice, operation, "RESOURCE_NOT_FOUND", session_id=NO_SESSION)
        assert response.json()["error"]["details"] == {"session_id": NO_SESSION}
    if operation.id in HEARD:
        response = scene.refused(scene.alice, operation, "RESOURCE_NOT_FOUND", track_id=NO_TRACK)
        assert response.json()["error"]["details"] == {"track_id": NO_TRACK}
    elif "track_id" in operation.parameter_names("path"):
        before = scene.service.snapshot(scene.ids["collection_id"])
        assert scene.ask(scene.alice, operation, track_id=NO_TRACK).status_code == 200
        assert scene.service.snapshot(scene.ids["collection_id"]) == before


@every_operation
def test_malformed_id_in_a_path_is_not_found(scene: Scene, operation: OperationObject) -> None:
    for name in operation.parameter_names("path"):
        for malformed in MALFORMED[name]:
            code = "ORGANIZATION_ACCESS_DENIED" if operation.id in ON_NO_RESOURCE else "RESOURCE_NOT_FOUND"
            scene.refused(scene.alice, operation, code, **{name: malformed})


def test_foreign_track_in_a_path_gets_the_response_of_a_missing_one(scene: Scene, foreign_track: str) -> None:
    [remove] = [operation for operation in SECURED if operation.id == "remove_collection_track"]
    foreign = scene.ask(scene.alice, remove, track_id=foreign_track)
    absent = scene.ask(scene.alice, remove, track_id=_random_id("mtrack_"))
    assert foreign.status_code == 200
    assert _normalized(foreign) == _normalized(absent)


@pytest.mark.parametrize(("operation_id", "field"), IDS_IN_BODIES)
def test_foreign_id_in_a_body_gets_the_response_of_a_missing_one(
    scene: Scene, foreign_track: str, operation_id: str, field: str
) -> None:
    [operation] = [operation for operation in SECURED if operation.id == operation_id]
    status, code = IDS_IN_BODIES[operation_id, field]
    responses = []
    for track_id in (foreign_track, _random_id("mtrack_")):
        before = scene.service.snapshot(scene.ids["collection_id"])
        body = {field: TRACK} | (PROBES[operation_id] or {})
        response = scene.send(scene.alice, operation, body, track_id=track_id, other_track_id=track_id)
        assert response.status_code == status, response.text
        assert code is None or assert_envelope(response, code)
        assert scene.service.snapshot(scene.ids["collection_id"]) == before
        responses.append(_normalized(response))
    assert responses[0] == responses[1]


def test_collection_rejects_tracks_of_another_organization(
    scene: Scene, mallory: httpx.Client, foreign_track: str
) -> None:
    own = new_collection(scene.service.client(mallory.headers["X-API-Key"], AWAY))
    path = f"{scene.service.url}/v1/music/{AWAY}/collections/{own['id']}"
    assert mallory.post(f"{path}/tracks", json={"track_id": scene.ids["track_id"]}).status_code == 404
    assert mallory.patch(path, json={"cover_track_id": scene.ids["track_id"]}).status_code == 422
    assert mallory.post(f"{path}/tracks", json={"track_id": foreign_track}).status_code == 200


def test_collection_is_not_found_under_another_organization_of_the_same_user(scene: Scene) -> None:
    """The right id and owner, and another organization."""
    user = f"user_{secrets.token_hex(4)}"
    at_home, away = (scene.service.client(scene.service.key(user, place)[1], place) for place in (HOME, AWAY))
    made = new_collection(at_home)["id"]
    assert at_home.get(f"collections/{made}").status_code == 200
    assert_envelope(away.get(f"collections/{made}"), "RESOURCE_NOT_FOUND")
    assert away.get("collections").json()["items"] == []


def test_every_operation_of_a_track_has_a_status_for_each_caller() -> None:
    of_a_track = {operation.id for operation in SECURED if "/tracks/{track_id}" in operation.path}
    assert of_a_track - {"remove_collection_track"} == set(HEARD), (
        "Add the operation to HEARD in tests/test_access.py, with its status for each kind of caller."
    )


@pytest.mark.parametrize("who", ["creator", "saver", "guest", "neighbour", "stranger"])
@pytest.mark.parametrize("operation_id", HEARD)
def test_track_is_heard_by_its_creator_and_by_who_has_saved_it(
    scene: Scene, bob: httpx.Client, operation_id: str, who: str
) -> None:
    [operation] = [operation for operation in SECURED if operation.id == operation_id]
    service, track = scene.service, scene.ids["track_id"]
    saver, guest, stranger = _new_user(service), _new_user(service, AWAY), _new_user(service, AWAY)
    service.save_track(track, saver[0])
    service.save_track(track, guest[0], AWAY)
    clients = {"creator": scene.alice, "saver": saver[1], "guest": guest[1], "neighbour": bob, "stranger": stranger[1]}
    organization = AWAY if who in ("guest", "stranger") else HOME
    before = service.snapshot(scene.ids["collection_id"])
    response = scene.ask(clients[who], operation, organization_id=organization)
    assert response.status_code == HEARD[operation_id][who], response.text
    if response.status_code == 404:
        absent = scene.refused(
            clients[who], operation, "RESOURCE_NOT_FOUND", organization_id=organization, **_absent_id(operation)
        )
        assert _normalized(response) == _normalized(absent)
    if response.status_code >= 400:
        assert service.snapshot(scene.ids["collection_id"]) == before


@pytest.mark.parametrize(("operation_id", "field"), sorted(ORGANIZATIONS_IN_BODIES))
def test_another_organization_in_a_body_gets_the_error_of_a_missing_one(
    scene: Scene, operation_id: str, field: str
) -> None:
    [operation] = [operation for operation in SECURED if operation.id == operation_id]
    before, answers = scene.service.snapshot(scene.ids["collection_id"]), []
    for theirs in (AWAY, "org_none1"):
        response = scene.send(scene.alice, operation, {field: theirs})
        assert_envelope(response, "ORGANIZATION_ACCESS_DENIED")
        answers.append(_normalized(response))
    assert answers[0] == answers[1]
    assert scene.service.snapshot(scene.ids["collection_id"]) == before


# What a holder of a link reaches with it, signed in or not, and what not, before and after the link is revoked.
HOLDERS = ("nobody", "neighbour", "stranger")


def _holder(scene: Scene, who: str) -> httpx.Client:
    if who == "nobody":
        return scene.service.client()
    return _new_user(scene.service, HOME if who == "neighbour" else AWAY)[1]


@pytest.mark.parametrize("who", HOLDERS)
@pytest.mark.parametrize("is_revoked", [False, True])
def test_holder_of_a_link_reaches_what_it_opens_and_nothing_else(scene: Scene, who: str, is_revoked: bool) -> None:
    client, ids = _holder(scene, who), scene.ids
    if is_revoked:
        scene.alice.delete(f"share/{ids['share_id']}")
    shared = f"{scene.service.url}/v1/music/shared/{ids['token']}"
    assert client.get(shared).status_code == (404 if is_revoked else 200)
    saved = {"nobody": 401}.get(who, 404 if is_revoked else 201)
    before = scene.service.snapshot(ids["collection_id"])
    for operation in SECURED:
        if operation.id not in ON_NO_RESOURCE | TOKEN_IS_ENOUGH:
            code = "AUTHENTICATION_REQUIRED" if who == "nobody" else "RESOURCE_NOT_FOUND"
            scene.refused(client, operation, code)
    assert scene.service.snapshot(ids["collection_id"]) == before
    assert client.post(f"{shared}/save").status_code == saved


@pytest.mark.parametrize("who", HOLDERS[1:])
def test_who_has_saved_from_a_link_hears_the_track_and_changes_nothing(scene: Scene, who: str) -> None:
    client, track = _holder(scene, who), scene.ids["track_id"]
    assert client.post(f"{scene.service.url}/v1/music/shared/{scene.ids['token']}/save").status_code == 201
    scene.alice.delete(f"share/{scene.ids['share_id']}")
    assert client.get(f"tracks/{track}").status_code == 200
    assert_envelope(client.delete(f"tracks/{track}"), "INSUFFICIENT_PERMISSIONS")
    for answer in (
        client.post(f"tracks/{track}/share"),
        client.delete(f"share/{scene.ids['share_id']}"),
        client.get(f"collections/{scene.ids['collection_id']}"),
        client.get(f"tracks/{scene.ids['other_track_id']}"),
    ):
        assert_envelope(answer, "RESOURCE_NOT_FOUND")
    assert client.get("share").json()["items"] == []


def test_holder_of_a_link_to_a_collection_sees_what_is_in_it_at_that_time(scene: Scene) -> None:
    collection, other = f"collections/{scene.ids['collection_id']}", scene.ids["other_track_id"]
    shared = scene.alice.post(f"{collection}/share").json()["token"]
    client, url = scene.service.client(), f"{scene.service.url}/v1/music/shared/{shared}"

    def seen() -> list[str]:
        return [track["id"] for track in client.get(url).json()["tracks"]]

    assert seen() == [scene.ids["track_id"]]
    scene.alice.post(f"{collection}/tracks", json={"track_id": other})
    assert seen() == [scene.ids["track_id"], other]
    scene.alice.delete(f"{collection}/tracks/{scene.ids['track_id']}")
    assert seen() == [other]
    scene.alice.delete(f"tracks/{other}")
    assert seen() == []
    scene.alice.delete(collection)
    assert client.get(url).json()["available"] is False


def _new_user(service: Service, organization: str = HOME) -> tuple[str, httpx.Client]:
    """A user id that is new in the organization, and the user's client."""
    user = f"user_{secrets.token_hex(4)}"
    return user, service.client(service.key(user, organization)[1], organization)


def _absent_id(operation: OperationObject) -> dict[str, str]:
    """An id that never was, in the place of the one that decides whether there is a resource."""
    if operation.id in HEARD:
        return {"track_id": _random_id("mtrack_")}
    prefixes = {"job_id": "mjob_", "session_id": "mfocus_", "share_id": "mslink_", "collection_id": "mcoll_"}
    name = next(name for name in prefixes if name in operation.parameter_names("path"))
    return {name: _random_id(prefixes[name])}


def _normalized(response: httpx.Response) -> tuple[int, list[tuple[str, str]], str]:
    """The response without request id, timestamps and the requested id."""
    headers = [(n, v) for n, v in response.headers.multi_items() if n.lower() not in {"x-request-id", "date"}]
    text = re.sub(r'"(trace_id|timestamp)":"[^"]*"', r'"\1":""', response.text)
    text = re.sub(r"(mcoll|mtrack|mjob|mfocus|mslink)_[0-9a-f]{12}|org_[a-z]+[0-9]", "ID", text)
    return response.status_code, headers, text


def _random_id(prefix: str) -> str:
    return prefix + secrets.token_hex(6)


def _is_id(name: str) -> bool:
    return name.endswith(("_id", "_ids"))
