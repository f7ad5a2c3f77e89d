"""Drives the client of openapi-python-client; prints what happened as JSON."""

import json
import os
import uuid
from typing import Any

from generated.client import AuthenticatedClient
from generated.client.api.collections import create_collection, get_collection, list_collections, update_collection
from generated.client.models import Collection, CollectionCreate, CollectionPage, CollectionPatch, ErrorEnvelope

HOME = os.environ["ORGANIZATION"]
client = AuthenticatedClient(
    os.environ["URL"], token=os.environ["API_KEY"], prefix="", auth_header_name="X-API-Key", headers={}
)


def collection(answer: Any) -> Collection:
    assert isinstance(answer, Collection), answer
    return answer


body = CollectionCreate(name="Focus Sessions", description="For deep work")
key = str(uuid.uuid4())
made, again = (
    collection(create_collection.sync(HOME, client=client, body=body, idempotency_key=key)) for _ in range(2)
)
read = collection(get_collection.sync(HOME, made.id, client=client))
patched = collection(update_collection.sync(HOME, made.id, client=client, body=CollectionPatch(description=None)))
page = list_collections.sync(HOME, client=client)
assert isinstance(page, CollectionPage)
missed = get_collection.sync_detailed(HOME, "mcoll_000000000000", client=client)
assert isinstance(missed.parsed, ErrorEnvelope)
error = missed.parsed.error
print(
    json.dumps(
        {
            "made": made.id,
            "again": again.id,
            "read": read.description,
            "patched": patched.description,
            "name": patched.name,
            "listed": [item.id for item in page.items],
            "status": missed.status_code.value,
            "code": error.code,
            "missing": error.details.collection_id,
        }
    )
)
