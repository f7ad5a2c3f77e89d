"""Whatever sequence of requests three people send, the service and the reference model answer alike."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tools.endurance.state_machine import Machine
from tools.testing.reference_model import modelled
from tools.testing.service import Actors

RUNS, STEPS = 12, 30


@pytest.mark.slow
def test_any_sequence_of_requests_is_answered_as_by_the_model(actors: Actors) -> None:
    short = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],  # a shorter example would be worth minutes only to who looks for one
    )
    with modelled() as model:
        machine = type("OfThisServer", (Machine,), {"actors": actors, "modelled": model})
        run_state_machine_as_test(machine, settings=short)
