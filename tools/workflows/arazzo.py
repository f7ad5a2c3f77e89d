"""Reader of the Arazzo document: workflows, steps, and the source of each value of a step."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import yaml

from web.contract import document as contract

HOME = contract.HOME.with_name("workflows.arazzo.yaml")


class Step(NamedTuple):
    """One request of a workflow; `parameters` includes those of the workflow, by name.

    `wanted` is the criterion of a step that is retried until the field has the value.
    """

    id: str
    description: str
    operation: str
    parameters: dict[str, Any]
    payload: Any
    outputs: dict[str, str]
    wanted: tuple[str, str] | None


class Workflow(NamedTuple):
    """A sequence of requests."""

    id: str
    summary: str
    description: str
    steps: tuple[Step, ...]


class Link(NamedTuple):
    """One link of the contract: values of one operation's response that are parameters of another."""

    source: str
    status: str
    target: str
    parameters: tuple[tuple[str, str], ...]


@cache
def document() -> dict[str, Any]:
    """The Arazzo document, parsed."""
    parsed: dict[str, Any] = yaml.safe_load(HOME.read_text(encoding="utf-8"))
    return parsed


def workflows() -> list[Workflow]:
    """All workflows, in the order of the document."""
    return [
        Workflow(node["workflowId"], node["summary"], node["description"], tuple(_steps(node)))
        for node in document()["workflows"]
    ]


def _steps(workflow: dict[str, Any]) -> Iterator[Step]:
    for step in workflow["steps"]:
        parameters = [*workflow.get("parameters", []), *step.get("parameters", [])]
        yield Step(
            step["stepId"],
            step["description"],
            step["operationId"],
            {parameter["name"]: parameter["value"] for parameter in parameters},
            step.get("requestBody", {}).get("payload"),
            step.get("outputs", {}),
            _wanted(step),
        )


def _wanted(step: dict[str, Any]) -> tuple[str, str] | None:
    if not any(action["type"] == "retry" for action in step.get("onFailure", ())):
        return None
    expression, _, value = step["successCriteria"][-1]["condition"].partition(" == ")
    return expression, value.strip("'")


def links() -> list[Link]:
    """All links of the contract."""
    listed = []
    for item in contract.document()["paths"].values():
        for operation in (item[method] for method in contract.METHODS if method in item):
            for status, node in operation["responses"].items():
                for link in contract.lookup(contract.document(), node).get("links", {}).values():
                    parameters = tuple(sorted(link["parameters"].items()))
                    listed.append(Link(operation["operationId"], status, link["operationId"], parameters))
    return listed


def follows(link: Link, before: Step, after: Step) -> bool:
    """Whether a step takes all parameters of a link from an earlier step, as the link says."""
    if (link.source, link.target) != (before.operation, after.operation):
        return False
    return all(after.parameters.get(name) in _references(before, expression) for name, expression in link.parameters)


def _references(step: Step, expression: str) -> set[Any]:
    """The expressions by which a later step can refer to the value of a link's expression."""
    if expression.startswith("$request."):
        return {step.parameters.get(expression.split(".", 2)[2])} - {None}
    return {f"$steps.{step.id}.outputs.{name}" for name, value in step.outputs.items() if value == expression}
