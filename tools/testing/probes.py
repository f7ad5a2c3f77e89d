"""One valid request per operation, and the collection that it needs."""

from typing import Any, NamedTuple

import httpx

from tools.testing.service import ALICE, HOME, Service, add_all, assert_envelope, new_collection
from web.contract.reading import OperationObject

COLLECTION, TRACK, OTHER_TRACK = "{collection_id}", "{track_id}", "{other_track_id}"

# The body of a valid request of alice per operation, with placeholders for her ids.
PROBES: dict[str, dict[str, Any] | None] = {
    "list_collections": None,
    "create_collection": {"name": "Probe", "cover_track_id": TRACK},
    "get_collection": None,
    "update_collection": {"name": "Probe", "cover_track_id": TRACK},
    "delete_collection": None,
    "list_collection_tracks": None,
    "add_collection_track": {"track_id": OTHER_TRACK},
    "remove_collection_track": None,
    "reorder_collection": {"ordered_track_ids": [TRACK]},
    "list_tracks": None,
    "get_track": None,
    "delete_track": None,
    "save_track": None,
    "unsave_track": None,
    "list_engines": None,
    "list_generations": None,
    "create_generation": {"engine": "studio", "prompt": "A probe", "duration_seconds": 30},
    "get_generation": None,
    "cancel_generation": None,
    "get_usage": None,
    "share_track": {"visibility": "public", "expires_in_days": 7},
    "share_collection": None,
    "list_shares": None,
    "revoke_share": None,
    "save_shared_track": None,
    "list_focus_sessions": None,
    "start_focus_session": {"goal": "focus", "target_minutes": 30},
    "get_focus_session": None,
    "end_focus_session": None,
}


class Scene(NamedTuple):
    """A service, alice's client, and her ids.

    Those of a collection with one saved track, of another track, of a queued job, of a focus session, and of a share
    link with its token.
    """

    service: Service
    alice: httpx.Client
    ids: dict[str, str]

    def ask(
        self, client: httpx.Client, operation: OperationObject, headers: dict[str, str] | None = None, **ids: str
    ) -> httpx.Response:
        """Sends the probe of an operation, with some ids replaced."""
        return self.send(client, operation, PROBES.get(operation.id), headers, **ids)

    def send(
        self,
        client: httpx.Client,
        operation: OperationObject,
        body: dict[str, Any] | None,
        headers: dict[str, str] | None = None,
        **ids: str,
    ) -> httpx.Response:
        """Sends another body to an operation, with its placeholders filled and some ids replaced."""
        known = self.ids | ids
        url = self.service.url + operation.path.format(**known)
        return client.request(operation.method, url, json=filled(body, known), headers=headers)

    def refused(self, client: httpx.Client, operation: OperationObject, code: str, **ids: str) -> httpx.Response:
        """Sends the probe, which must fail with this code and change no row."""
        before = self.service.snapshot(self.ids["collection_id"])
        response = self.ask(client, operation, None, **ids)
        assert_envelope(response, code)
        assert self.service.snapshot(self.ids["collection_id"]) == before, (
            f"{operation.id} was refused but changed a row"
        )
        return response


def scene(service: Service, alice: httpx.Client) -> Scene:
    """A collection of alice's with a saved track, another track, a job, a focus session and a share link."""
    made = new_collection(alice)["id"]
    track, other = service.make_tracks(2)
    service.save_track(track, ALICE)
    add_all(alice, made, [track])
    job = alice.post("generations", json=PROBES["create_generation"]).json()["id"]
    link = alice.post(f"tracks/{track}/share").json()
    session = alice.post("focus/sessions", json=PROBES["start_focus_session"]).json()["session_id"]
    ids = {
        "organization_id": HOME, "collection_id": made, "track_id": track, "other_track_id": other, "job_id": job,
        "share_id": link["id"], "token": link["token"], "session_id": session,
    }  # fmt: skip
    return Scene(service, alice, ids)


def filled(body: Any, ids: dict[str, str]) -> Any:
    """A body with its placeholders replaced."""
    if isinstance(body, dict):
        return {name: filled(value, ids) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(value, ids) for value in body]
    return body.format(**ids) if isinstance(body, str) else body
