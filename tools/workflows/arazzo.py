"""The Arazzo document of the contract, read: workflows, steps, and where each value of a step comes from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import yaml

from web.contract import document as contract

HOME = contract.HOME.with_name("workflows.arazzo.yaml")


class Step(NamedTuple):
    """One request of a workflow; `parameters` holds those of the whole workflow too, by their names."""

    id: str
    description: str
    operation: str
    parameters: dict[str, Any]
    payload: Any
    outputs: dict[str, str]


class Workflow(NamedTuple):
    """A story of several requests."""

    id: str
    summary: str
    description: str
    steps: tuple[Step, ...]


class Link(NamedTuple):
    """One link of the contract: what the answer of one operation lends to a request of another."""

    source: str
    status: str
    target: str
    parameters: tuple[tuple[str, str], ...]


@cache
def document() -> dict[str, Any]:
    """The document as it is written."""
    whole: dict[str, Any] = yaml.safe_load(HOME.read_text(encoding="utf-8"))
    return whole


def workflows() -> list[Workflow]:
    """Every workflow, in the order of the document."""
    return [
        Workflow(one["workflowId"], one["summary"], one["description"], tuple(_steps(one)))
        for one in document()["workflows"]
    ]


def _steps(workflow: dict[str, Any]) -> Iterator[Step]:
    for step in workflow["steps"]:
        given = [*workflow.get("parameters", []), *step.get("parameters", [])]
        yield Step(
            step["stepId"],
            step["description"],
            step["operationId"],
            {parameter["name"]: parameter["value"] for parameter in given},
            step.get("requestBody", {}).get("payload"),
            step.get("outputs", {}),
        )


def links() -> list[Link]:
    """Every link of the contract."""
    found = []
    for item in contract.document()["paths"].values():
        for operation in (item[method] for method in contract.METHODS if method in item):
            for status, node in operation["responses"].items():
                for link in contract.lookup(contract.document(), node).get("links", {}).values():
                    parameters = tuple(sorted(link["parameters"].items()))
                    found.append(Link(operation["operationId"], status, link["operationId"], parameters))
    return found


def follows(link: Link, before: Step, after: Step) -> bool:
    """Whether a step takes from one before it all that the link says, and from there."""
    if (link.source, link.target) != (before.operation, after.operation):
        return False
    return all(after.parameters.get(name) in _lent(before, expression) for name, expression in link.parameters)


def _lent(step: Step, expression: str) -> set[Any]:
    """How a later step may write what this expression of a link is in the exchange of the step."""
    if expression.startswith("$request."):
        return {step.parameters.get(expression.split(".", 2)[2])} - {None}
    return {f"$steps.{step.id}.outputs.{name}" for name, value in step.outputs.items() if value == expression}
