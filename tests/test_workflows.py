"""Arazzo workflows: they pass, follow every link of the contract, and are the tutorial."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from mock.jobs import MockWorker
from models.audio_store import AudioStore
from studio.engines.catalog import COMPUTED
from tools.testing.service import HOME, ON_ONE_DATABASE, Actors
from tools.workflows import tutorial
from tools.workflows.arazzo import HOME as DOCUMENT
from tools.workflows.arazzo import Step, follows, links, workflows
from tools.workflows.respect import respect
from tools.workflows.servers import Served
from web.periodic_thread import PeriodicThread


@pytest.fixture
def worker(actors: Actors) -> Iterator[None]:
    """Ends each job and segment with a tone, as the mock does."""
    made = MockWorker(AudioStore(actors.service.audio_url), COMPUTED)

    def advance() -> None:
        with actors.service.use_database():
            made.advance()

    with PeriodicThread("worker", advance, 0.2):
        yield


@pytest.fixture
def served(actors: Actors, worker: None) -> Served:
    del worker
    first, second, *_ = actors.tracks
    keys = {"api_key": actors.secrets["alice"], "guest_api_key": actors.secrets["bob"]}
    given = keys | {"organization_id": HOME}
    [spare] = actors.service.make_tracks(1)
    chosen = {"first_track_id": first, "second_track_id": second, "spare_track_id": spare}
    return Served(actors.service.url, given | chosen)


@pytest.mark.slow
def test_every_workflow_passes(served: Served) -> None:
    done = respect(served)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(workflows())} passed, {len(workflows())} total" in done.stdout


@pytest.mark.slow
@ON_ONE_DATABASE
@pytest.mark.parametrize(
    ("condition", "wrong"),
    [
        ("$statusCode == 412", "$statusCode == 200"),
        ("$response.body#/track_count == 2", "$response.body#/track_count == 3"),
        ("$response.header.Idempotent-Replayed == 'true'", "$response.header.Idempotent-Replayed == 'false'"),
    ],
)
def test_failing_workflow_step_is_reported(served: Served, tmp_path: Path, condition: str, wrong: str) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert condition in text
    other = tmp_path / DOCUMENT.name
    home = DOCUMENT.with_name("openapi.yaml").as_uri().removeprefix("file://")
    other.write_text(text.replace(condition, wrong).replace("url: openapi.yaml", f"url: {home}"), encoding="utf-8")
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


def test_step_inputs_follow_contract_links() -> None:
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
        f"No link of the contract leads to {sorted(takers - reached)}, so a client cannot follow it.\n"
        "Add the link to the operation that returns the value, in openapi/paths/."
    )


@pytest.mark.slow
def test_tutorial_matches_the_mock_responses() -> None:
    assert tutorial.generate() == tutorial.text(), "docsite/tutorial.md is outdated: run make generate"


def _pairs() -> Iterator[tuple[str, Step, Step]]:
    for workflow in workflows():
        for before, after in combinations(workflow.steps, 2):
            yield workflow.id, before, after
