"""Commands for money: prices and switches of engines, limits of organizations, and the report of usage."""

import csv
import io
from datetime import UTC, datetime

import pytest

from models import generations, organizations, spending
from models.access import Caller
from models.generations import JobLimits, Order
from tools.testing.cli_runner import Shell
from tools.testing.server_process import connected

HOME = "org_home1"
HEADER = ["organization", "user", "engine", "tracks", "seconds", "cost_chf"]


@pytest.fixture
def home(shell: Shell) -> Shell:
    """A database with one organization."""
    shell.text("migrate")
    with connected(shell.url):
        organizations.join(HOME, "alice")
    return shell


def test_engines_are_listed_priced_and_switched(home: Shell) -> None:
    listed = {row["engine"]: row for row in home.json("engines", "list")}
    assert set(listed) == {"drift", "studio"}
    assert (listed["studio"]["enabled"], listed["studio"]["chf_per_minute"]) == (True, "0.00")
    assert home.json("engines", "price", "studio", "0.25")["chf_per_minute"] == "0.25"
    assert home.json("engines", "disable", "studio")["enabled"] is False
    listed = {row["engine"]: row for row in home.json("engines", "list")}
    assert (listed["studio"]["enabled"], listed["studio"]["chf_per_minute"]) == (False, "0.25")
    assert home.json("engines", "enable", "studio")["enabled"] is True
    assert listed["drift"]["enabled"] is True


def test_a_price_that_is_no_amount_is_refused(home: Shell) -> None:
    for amount in ("0.001", "-1", "NaN", "1e9", "1000001", "many"):
        assert "is no amount" in home.error("engines", "price", "studio", "--", amount)
    assert home.json("engines", "list")[1]["chf_per_minute"] == "0.00"


def test_an_unknown_engine_is_refused_with_the_known_ones(home: Shell) -> None:
    assert "There is no engine 'piano': choose drift or studio." in home.error("engines", "price", "piano", "1")


def test_limits_are_set_shown_and_removed(home: Shell) -> None:
    rows = home.json("organizations", "limit", HOME, "--day", "10", "--week", "50.5")
    assert [(row["window"], row["limit_chf"], row["spent_chf"]) for row in rows] == [
        ("day", "10.00", "0.00"),
        ("week", "50.50", "0.00"),
        ("month", None, "0.00"),
    ]
    with connected(home.url):
        spending.reserve(HOME, 125, datetime.now(UTC))
    rows = home.json("organizations", "limit", HOME, "--day", "none")
    assert [(row["limit_chf"], row["spent_chf"]) for row in rows] == [(None, "1.25"), ("50.50", "1.25"), (None, "1.25")]
    assert "There is no organization org_none" in home.error("organizations", "limit", "org_none", "--day", "1")
    assert "or none" in home.error("organizations", "limit", HOME, "--day", "ten")


def test_usage_is_reported_as_json_and_csv(home: Shell) -> None:
    with connected(home.url):
        caller = Caller("alice", frozenset({HOME}), frozenset(), None)
        order = Order("studio", "creation", "rain", 90, True, None, None, [], None, None, b"1" * 32)
        generations.create(caller, HOME, order, JobLimits(25, 10))
    expected = {
        "organization": HOME,
        "user": "alice",
        "engine": "studio",
        "tracks": 0,
        "seconds": 0,
        "cost_chf": "0.38",
    }
    assert home.json("usage") == [expected]
    assert home.json("usage", "--organization", "org_other") == []
    assert home.json("usage", "--since", "2020-01-01", "--until", "2020-02-01") == []
    printed = list(csv.reader(io.StringIO(home.text("usage", "--csv"))))
    assert printed == [HEADER, [str(value) for value in expected.values()]]
    assert "is no day" in home.error("usage", "--since", "yesterday")
    assert "not both" in home.error("usage", "--csv", "--json")
