"""Drives the client of openapi-generator's `python`, without any options; prints what happened as JSON."""

import json
import os
import uuid

from stock_client import (
    ApiClient,
    ApiException,
    CollectionCreate,
    CollectionPatch,
    CollectionsApi,
    Configuration,
    ErrorEnvelope,
)

HOME = os.environ["ORGANIZATION"]
client = ApiClient(Configuration(host=os.environ["URL"], api_key={"ApiKeyAuth": os.environ["API_KEY"]}))
api = CollectionsApi(client)

body = CollectionCreate(name="Focus Sessions", description="For deep work")
key = str(uuid.uuid4())
made, again = (api.create_collection(HOME, body, idempotency_key=key) for _ in range(2))
read = api.get_collection(HOME, made.id)
patched = api.update_collection(HOME, made.id, CollectionPatch(description=None))
page = api.list_collections(HOME)
try:
    api.get_collection(HOME, "mcoll_000000000000")
except ApiException as failure:
    status = failure.status
    envelope = ErrorEnvelope.from_json(failure.body or "")
assert envelope
print(
    json.dumps(
        {
            "made": made.id,
            "again": again.id,
            "read": read.description,
            "patched": patched.description,
            "name": patched.name,
            "listed": [item.id for item in page.items],
            "status": status,
            "code": envelope.error.code,
            "missing": envelope.error.details.collection_id,
        }
    )
)
