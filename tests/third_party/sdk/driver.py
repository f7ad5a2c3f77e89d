"""Drives the transport of the API's published SDK; prints what happened, and how long it would have waited, as JSON."""

import json
import os
import uuid

from aitronos import Aitronos
from aitronos.core import http_client

waits = []
# Records the waits before repeated requests instead of waiting.
http_client.time.sleep = waits.append

URL, KEY, ORGANIZATION = os.environ["URL"], os.environ["API_KEY"], os.environ["ORGANIZATION"]
COLLECTIONS = f"v1/music/{ORGANIZATION}/collections"


def transport(token=None):
    return Aitronos(base_url=URL, api_key=KEY, token=token)._client_wrapper.httpx_client


def send(method, path, client=None, headers=None, body=None):
    waits.clear()
    response = (client or transport()).request(path, method=method, headers=headers, json=body)
    return {
        "status": response.status_code,
        "body": response.json(),
        "retry_after": response.headers.get("Retry-After"),
        "waits": list(waits),
    }


def main():
    key = {"Idempotency-Key": str(uuid.uuid4())}
    made, again = (
        send("POST", COLLECTIONS, headers=key, body={"name": "Mine", "description": "For sleep"}) for _ in range(2)
    )
    place = f"{COLLECTIONS}/{made['body']['id']}"
    results = {
        "list": send("GET", COLLECTIONS),
        "made": made,
        "again": again,
        "patched": send("PATCH", place, body={"description": None}),
        "missing": send("GET", f"{COLLECTIONS}/mcoll_000000000000"),
        "same_token": send("GET", place, transport(token=KEY)),
        "placeholder_token": send("GET", place, transport(token="YOUR_TOKEN")),
    }
    for name in os.environ.get("EXAMPLES", "").split():
        method, example = name.split(":")
        results[example] = send(method, place + "/tracks", headers={"Prefer": f"example={example}"}, body=TRACK[method])
    job = {"engine": "studio", "prompt": "rain", "duration_seconds": 20}
    results["jobs"] = [send("POST", f"v1/music/{ORGANIZATION}/generations", body=job) for _ in range(2)]
    print(json.dumps(results))


TRACK = {"GET": None, "POST": {"track_id": "mtrack_8d2e1f6a3c9b"}}
main()
