"""Whatever sequence of requests three people send, the service and the mock answer alike."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tools.endurance.state_machine import Machine
from tools.testing.service import MOCK, Actors, Services

RUNS, STEPS = 12, 30


@pytest.mark.slow
def test_any_sequence_of_requests_is_answered_as_on_the_mock(actors: Actors, services: Services) -> None:
    machine = type("OfThisServer", (Machine,), {"actors": actors, "mocked": services.actors(MOCK)})
    short = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],  # a shorter example would be worth minutes only to who looks for one
    )
    run_state_machine_as_test(machine, settings=short)
