"""The contract's operations with the texts of their pages: responses, errors and related operations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from http import HTTPStatus
from typing import Any, NamedTuple

from docsite import examples
from web.contract import reading
from web.contract.reading import OperationObject


class Example(NamedTuple):
    """An example of a response with its title on the page, such as `401 Unauthorized`.

    `summary` tells it from another example of its status, and is empty for the first one.
    """

    status: int
    title: str
    value: Any
    summary: str = ""


class Operation(OperationObject):
    """One operation of the contract with the texts of its pages."""

    def __init__(self, document: dict[str, Any], template: str, method: str) -> None:
        super().__init__(document, template, method)
        self.tag: str = self.node["tags"][0]
        self.summary: str = self.node.get("summary") or self.id.replace("_", " ").capitalize()
        self.description: str = self.node.get("description", self.summary).strip()
        self.lead = " ".join(self.description.split("\n\n")[0].split())
        self.slug = self.id.replace("_", "-")
        self.secured = not self.is_public
        self.related: list[str] = self.node.get("x-related", [])

    def body_schema(self, status: int) -> dict[str, Any]:
        """The schema of the JSON body of a response; empty without one. Its `$ref` is not followed."""
        schema: dict[str, Any] = self.by_status[status].get("content", {}).get(reading.JSON, {}).get("schema", {})
        return schema

    def returns(self) -> list[str]:
        """The descriptions of the success response and of a 304."""
        (_, first), *others = [(status, node) for status, node in self.by_status.items() if status < 400]
        return [first["description"], *(f"`{status}`: {node['description']}" for status, node in others)]

    def successes(self) -> list[Example]:
        return [example for status in self.by_status if status < 300 for example in self._examples(status)]

    @cached_property
    def errors(self) -> list[Example]:
        """All examples of all errors, in the order of the statuses."""
        return [example for status in self.by_status if status >= 400 for example in self._examples(status)]

    def _examples(self, status: int) -> Iterator[Example]:
        title = f"{status} {HTTPStatus(status).phrase}"
        for name, media in self.by_status[status].get("content", {}).items():
            if status >= 400 and (name == reading.HTML or not media.keys() & {"example", "examples"}):
                continue  # a page says the same, and an example made from the schema shows the code of another status
            for index, example in enumerate(self.examples(media)):
                summary = example.get("summary", "") if index else ""
                yield Example(status, f"{title}: {summary}" if summary else title, example["value"], summary)

    def examples(self, node: dict[str, Any]) -> list[dict[str, Any]]:
        """The examples of a Media Type or Parameter Object; at least one."""
        return examples.of_holder(node, self.document)


def operations(document: dict[str, Any]) -> list[Operation]:
    """All operations, in the contract's order."""
    return [Operation(document, node.template, node.method.lower()) for node in reading.operations(document)]
