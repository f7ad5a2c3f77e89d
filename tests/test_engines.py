"""Engines: what they can do, and what operators have set."""

import httpx

from models import engines
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
