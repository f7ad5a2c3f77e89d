"""What the Arazzo document tells clients to do works, follows every link of the contract, and is in the tutorial."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from tools.testing.service import HOME, ON_ONE_DATABASE, Actors
from tools.workflows import tutorial
from tools.workflows.arazzo import HOME as DOCUMENT
from tools.workflows.arazzo import Step, follows, links, workflows
from tools.workflows.respect import respect
from tools.workflows.servers import Served


@pytest.fixture
def served(actors: Actors) -> Served:
    first, second, *_ = actors.tracks
    given = {"api_key": actors.secrets["alice"], "organization_id": HOME}
    return Served(actors.service.url, given | {"first_track_id": first, "second_track_id": second})


@pytest.mark.slow
def test_every_step_goes_as_the_document_says(served: Served) -> None:
    done = respect(served)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(workflows())} passed, {len(workflows())} total" in done.stdout


@pytest.mark.slow
@ON_ONE_DATABASE
@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("$statusCode == 412", "$statusCode == 200"),
        ("$response.body#/track_count == 2", "$response.body#/track_count == 3"),
        ("$response.header.Idempotent-Replayed == 'true'", "$response.header.Idempotent-Replayed == 'false'"),
    ],
)
def test_a_step_that_goes_otherwise_is_told(served: Served, tmp_path: Path, said: str, wrong: str) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert said in text
    other = tmp_path / DOCUMENT.name
    home = DOCUMENT.with_name("openapi.yaml").as_uri().removeprefix("file://")
    other.write_text(text.replace(said, wrong).replace("url: openapi.yaml", f"url: {home}"), encoding="utf-8")
    done = respect(served, other)
    assert done.returncode != 0
    assert f"{len(workflows()) - 1} passed, 1 failed" in done.stdout, done.stdout


def test_every_link_of_the_contract_is_used() -> None:
    pairs = list(_pairs())
    unused = [link for link in links() if not any(follows(link, before, after) for _, before, after in pairs)]
    assert links()
    assert not unused, (
        f"No workflow follows these links: {unused}\n"
        "Let a step of openapi/workflows.arazzo.yaml take the link's values from a step before it."
    )


def test_what_a_step_takes_from_another_comes_along_a_link() -> None:
    reached = {
        (workflow, after.id) for workflow, before, after in _pairs() for link in links() if follows(link, before, after)
    }
    takers = {
        (workflow.id, step.id)
        for workflow in workflows()
        for step in workflow.steps
        if any(str(value).startswith("$steps.") for value in step.parameters.values())
    }
    assert takers
    assert takers <= reached, (
        f"No link of the contract leads to {sorted(takers - reached)}: a client that follows links cannot go there.\n"
        "Add the link to the operation that lends the value, in openapi/paths/."
    )


@pytest.mark.slow
def test_the_tutorial_is_what_the_mock_answers() -> None:
    assert tutorial.generate() == tutorial.text(), "docsite/tutorial.md is not what is answered: run make generate"


def _pairs() -> Iterator[tuple[str, Step, Step]]:
    for workflow in workflows():
        for before, after in combinations(workflow.steps, 2):
            yield workflow.id, before, after
