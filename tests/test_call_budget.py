"""Call budget: one GET needs a bounded number of function calls and bytes."""

import json
import subprocess
import sys

import pytest

from tools.bench import call_budget
from tools.bench.targets import ROOT


@pytest.mark.slow
def test_one_get_stays_within_the_call_budget() -> None:
    # In a subprocess, because calls of other tests' threads would be counted.
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench.call_budget"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stderr}\nCounted: {done.stdout}"


def test_budget_check_detects_one_more_call() -> None:
    band = call_budget.read_band()
    found = {name: high for name, (_, high) in band.items()}
    assert call_budget.drifted(found, band) == []
    more = found | {"our_calls": found["our_calls"] + 1}
    [sentence] = call_budget.drifted(more, band)
    assert sentence.startswith(f"One GET has our calls {more['our_calls']:g}, and the band is ")


def test_budget_covers_every_counter() -> None:
    assert set(json.loads(call_budget.BAND.read_text(encoding="utf-8"))) == {*call_budget.LEEWAY, "kept_blocks"}
