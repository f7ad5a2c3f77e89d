"""What the page of an operation shows: its fields, samples, responses, errors, and the request that can be tried."""

from __future__ import annotations

from typing import Any

from docsite import literals, samples
from docsite.code import Block
from docsite.fields import Field, FieldReader
from docsite.objects import Object
from docsite.operations import Example, Operation
from docsite.response_headers import HeaderReader
from web.contract.security import BEARER, places

PLACES = {"path": "Path parameters", "query": "Query parameters", "header": "Request headers", "body": "Body"}


class OperationPages:
    """The values for the pages of the operations of one contract; the samples call `origin`."""

    def __init__(
        self, document: dict[str, Any], origin: str, operations: list[Operation], objects: list[Object]
    ) -> None:
        self._document, self._origin = document, origin
        self._by_id = {operation.id: operation for operation in operations}
        self._objects = {found.name: found for found in objects}
        self._fields = FieldReader(document, frozenset(self._objects))
        self._headers = HeaderReader(document, operations)

    def values(self, operation: Operation) -> dict[str, Any]:
        """The values for the templates of Markdown and HTML."""
        return {
            "operation": operation,
            "fields": [(PLACES[place], fields) for place, fields in self._by_place(operation).items() if fields],
            "related": [self._by_id[other] for other in operation.related if other in self._by_id],
            "samples": self.samples(operation),
            "successes": blocks(operation.successes()),
            "failures": list(zip(operation.errors, blocks(operation.errors), strict=True)),
            "returned": self._returned(operation),
            "headers": self._headers.of(operation),
            "credential": self._credential(operation),
        }

    def samples(self, operation: Operation) -> list[Block]:
        """One request in each language."""
        return [Block(s["lang"], s["label"], s["source"]) for s in samples.code_samples(operation, self._origin)]

    def fields(self, operation: Operation) -> list[Field]:
        """The parameters, the fields of the body, and the headers that only some operations return."""
        sent = [field for fields in self._by_place(operation).values() for field in fields]
        return sent + self._headers.of(operation).own

    def shared_headers(self) -> list[Field]:
        """The response headers of most operations."""
        return self._headers.shared()

    def _by_place(self, operation: Operation) -> dict[str, list[Field]]:
        found = {place: [self._fields.parameter(node) for node in operation.parameters_in(place)] for place in PLACES}
        if operation.body:
            found["body"] = self._fields.body(operation.body.get("schema", {}))
        return found

    def _returned(self, operation: Operation) -> Object | None:
        """The object that the operation returns, if it has a page."""
        return self._objects.get(operation.body_schema(operation.success).get("$ref", "").rpartition("/")[2])

    def _credential(self, operation: Operation) -> tuple[str, str] | None:
        """The header of a key, and what is before the key in it; None for an operation that takes none in a header."""
        found = [place for place in places(self._document).values() if place.kind == "header"]
        if not operation.secured or not found:
            return None
        place = next((each for each in found if each != BEARER), found[0])
        return place.name, "Bearer " if place == BEARER else ""


def blocks(examples: list[Example]) -> list[Block]:
    """Examples of responses as code blocks."""
    return [Block("json", example.title, literals.write(example.value)) for example in examples]
