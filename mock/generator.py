"""Generator of response bodies from their schemas: the same seed and the same request give the same body.

Decision 91.
"""

from __future__ import annotations

from random import Random
from typing import Any

from mock.schema_values import SchemaValues
from web.context import RequestContext
from web.contract.operations import Operation
from web.contract.reading import JSON, operations
from web.dispatch import build_response
from web.responses import Response

TRIES = 20


class Generator:
    """Generates success responses of one document."""

    def __init__(self, document: dict[str, Any], seed: int) -> None:
        self._seed = seed
        self._document = document
        contents = {o.id: o.by_status[o.success].get("content", {}) for o in operations(document)}
        self._schemas = {name: content[JSON]["schema"] for name, content in contents.items() if JSON in content}

    def response(self, operation: Operation, context: RequestContext) -> Response | None:
        """A valid success response, or None if the operation has none in JSON.

        A field that is named as an argument of the operation, or as a field of the request's body, has its value.
        """
        schema = self._schemas.get(operation.id)
        if schema is None:
            return None
        sent = _sent(context)
        # Repeatable; it guards no secret.
        values = SchemaValues(self._document, Random(f"{self._seed} {operation.id} {sorted(sent.items(), key=str)}"))  # noqa: S311
        is_valid = operation.responses[operation.success].media_types[JSON].is_valid
        for _ in range(TRIES):
            body = values.value(schema)
            if is_valid(body):
                for name in sent.keys() & body.keys() if isinstance(body, dict) else ():
                    changed = body | {name: sent[name]}
                    body = changed if is_valid(changed) else body
                return build_response(operation, context, body)
        return None


def _sent(context: RequestContext) -> dict[str, Any]:
    """The values of the request by name: arguments, fields of the body, and the last of the path as `id`."""
    body = context.arguments.get("body")
    named = {name: value for name, value in context.arguments.items() if name != "body"}
    last = dict.fromkeys(["id"], value) if (value := next(reversed(context.path_values.values()), None)) else {}
    return last | named | (body if isinstance(body, dict) else {})
