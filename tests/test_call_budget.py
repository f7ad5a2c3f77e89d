"""One GET does no more work than it did: counted in calls and bytes, which no busy machine can change."""

import json
import subprocess
import sys

import pytest

from tools.bench import call_budget
from tools.bench.targets import ROOT


@pytest.mark.slow
def test_one_get_takes_as_many_calls_and_bytes_as_it_did() -> None:
    # A process of its own: counting looks at every call, and other tests' threads would be in it.
    told = subprocess.run(
        [sys.executable, "-m", "tools.bench.call_budget"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert told.returncode == 0, f"{told.stderr}\nCounted: {told.stdout}"


def test_the_guard_would_notice_more_calls() -> None:
    band = call_budget.read_band()
    found = {name: high for name, (_, high) in band.items()}
    assert call_budget.drifted(found, band) == []
    more = found | {"our_calls": found["our_calls"] + 1}
    [sentence] = call_budget.drifted(more, band)
    assert sentence.startswith(f"One GET has our calls {more['our_calls']:g}, and the band is ")


def test_the_band_is_about_everything_that_is_counted() -> None:
    assert set(json.loads(call_budget.BAND.read_text(encoding="utf-8"))) == {*call_budget.LEEWAY, "kept_blocks"}
