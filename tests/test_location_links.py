"""Links of the contract: values from a response lead to a successful next request."""

import re
from typing import Any, NamedTuple

import httpx
import pytest

from tools.testing.probes import Scene
from tools.testing.service import ALICE, operations, resolved
from web.contract.reading import OperationObject

ROWS = {operation.id: operation for operation in operations()}


class Link(NamedTuple):
    """A link from a response of `source` to `target`; the values are runtime expressions (OpenAPI 3.0.3)."""

    name: str
    source: OperationObject
    target: OperationObject
    values: dict[str, str]


def _links() -> list[Link]:
    return [
        Link(name, source, ROWS[link["operationId"]], link.get("parameters", {}))
        for source in ROWS.values()
        for response in source.node["responses"].values()
        for name, link in resolved(response).get("links", {}).items()
    ]


LINKS = _links()


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link.source.id}->{link.target.id}")
def test_link_target_accepts_the_linked_values(scene: Scene, link: Link) -> None:
    if "$response.body#/result_track_id" in link.values.values():
        for step in ("take", "succeed"):
            scene.service.advance(ALICE, scene.ids["job_id"], step)
    before = scene.ask(scene.alice, link.source)
    assert before.status_code < 300, before.text
    given = {name: _value(expression, scene, before) for name, expression in link.values.items()}
    ids = {name: value for name, value in given.items() if name in link.target.parameter_names("path")}
    after = scene.ask(scene.alice, link.target, {name: given[name] for name in given.keys() - ids}, **ids)
    assert after.status_code < 300, after.text
    assert ids.keys() == set(link.target.parameter_names("path")), "A link must set every path parameter of its target."


def test_every_resource_operation_is_a_link_target() -> None:
    unreached = {row.id for row in ROWS.values() if "collection_id" in row.path} - {link.target.id for link in LINKS}
    assert not unreached, (
        f"No link leads to {sorted(unreached)}.\nAdd one to the response in openapi/paths/ that shows the id."
    )


def _value(expression: str, scene: Scene, response: httpx.Response) -> str:
    """The value of a runtime expression for this response and its request."""
    form = re.fullmatch(r"\$(request\.path|response\.header|response\.body)[.#](.+)", expression)
    assert form, f"{expression} is not supported by this test"
    kind, name = form.groups()
    if kind == "request.path":
        return scene.ids[name]
    if kind == "response.header":
        return str(response.headers[name])
    found: Any = response.json()
    for step in name.strip("/").split("/"):
        found = found[int(step)] if isinstance(found, list) else found[step]
    return str(found)
