"""One GET does no more work than it did: counted in calls and bytes, which no busy machine can change."""

import json
import subprocess
import sys

from bench import drift, variants
from bench.roster import ROOT


def test_one_get_takes_as_many_calls_and_bytes_as_it_did() -> None:
    # A process of its own: counting looks at every call, and other tests' threads would be in it.
    told = subprocess.run(
        [sys.executable, "-m", "bench.drift"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert told.returncode == 0, f"{told.stderr}\nCounted: {told.stdout}"


def test_the_guard_would_notice_more_calls() -> None:
    band = drift.read_band()
    found = {name: high for name, (_, high) in band.items()}
    assert drift.drifted(found, band) == []
    more = found | {"our_calls": found["our_calls"] + 1}
    [sentence] = drift.drifted(more, band)
    assert sentence.startswith(f"One GET has our calls {more['our_calls']:g}, and the band is ")


def test_the_band_is_about_everything_that_is_counted() -> None:
    assert set(json.loads(drift.BAND.read_text(encoding="utf-8"))) == {*drift.LEEWAY, "kept_blocks"}


def test_every_application_that_the_profile_compares_answers() -> None:
    program = """
from bench import inprocess, variants
with inprocess.opened() as sample:
    for name, make in variants.ALL.items():
        with make(sample) as application:
            print(inprocess.alone(inprocess.asked(application, sample.scope())))
"""
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.stdout.split() == ["200"] * len(variants.ALL), told.stderr
