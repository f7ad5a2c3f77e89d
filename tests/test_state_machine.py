"""Whatever sequence of requests three people send, the service answers like a few lines of Python that hold lists."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from endure.machine import Machine
from tests.harness import Actors

RUNS, STEPS = 12, 30


@pytest.mark.slow
def test_any_sequence_of_requests_is_answered_as_the_reference_says(actors: Actors) -> None:
    machine = type("OfThisServer", (Machine,), {"actors": actors})
    short = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],  # a shorter example would be worth minutes only to who looks for one
    )
    run_state_machine_as_test(machine, settings=short)
