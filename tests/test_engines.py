"""Engines: what they can do, and what operators have set."""

from pathlib import Path

import httpx
import numpy as np

from models import engines
from studio import encoding
from studio.engines.catalog import BYTES_PER_SECOND
from studio.synthesis import RATE
from tools.testing.service import Service, assert_envelope


def test_engines_tell_what_they_can_and_who_may_use_the_music(alice: httpx.Client) -> None:
    items = alice.get("engines").json()["items"]
    assert [engine["engine_key"] for engine in items] == ["drift", "studio"]
    for engine in items:
        assert (engine["licence_class"], engine["commercial_use"], engine["requires_attribution"]) == (
            "commercial_cleared",
            True,
            False,
        )
        assert (engine["modes"], engine["cost_chf_per_minute"]) == (["creation", "focus"], "0.00")


def test_price_and_switch_of_an_operator_take_effect(server: Service, alice: httpx.Client) -> None:
    with server.use_database():
        engines.change("studio", cents_per_minute=25)
        engines.change("drift", enabled=False)
    try:
        assert [(e["engine_key"], e["cost_chf_per_minute"]) for e in alice.get("engines").json()["items"]] == [
            ("studio", "0.25")
        ]
    finally:
        with server.use_database():
            engines.change("studio", cents_per_minute=0)
            engines.change("drift", enabled=True)
    assert len(alice.get("engines").json()["items"]) == 2


def test_engines_are_for_members(mallory: httpx.Client) -> None:
    assert_envelope(mallory.get("engines"), "ORGANIZATION_ACCESS_DENIED")


def test_no_piece_takes_more_bytes_than_is_reckoned_with(tmp_path: Path) -> None:
    """Noise is the hardest to compress; music takes less."""
    seconds, random = 5, np.random.default_rng(1)
    noise = (random.uniform(-1, 1, (RATE, 2)).astype(np.float32) for _ in range(seconds))
    assert encoding.write(noise, tmp_path / "noise.mp3") == seconds * RATE
    size = (tmp_path / "noise.mp3").stat().st_size
    assert seconds * BYTES_PER_SECOND / 2 < size <= seconds * BYTES_PER_SECOND
