"""State machine: the service and the reference model respond alike to random request sequences."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tools.endurance.state_machine import Machine
from tools.testing.reference_model import modelled
from tools.testing.service import Actors

RUNS, STEPS = 12, 30


@pytest.mark.slow
def test_random_request_sequences_match_the_reference_model(actors: Actors) -> None:
    short = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],  # shrinking takes minutes
    )
    with modelled() as model:
        machine = type("OfThisServer", (Machine,), {"actors": actors, "modelled": model})
        run_state_machine_as_test(machine, settings=short)
