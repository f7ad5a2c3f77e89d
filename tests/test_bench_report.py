"""The report of a benchmark: parts that add up, best variants, goals, many clients and instructions."""

import json
from pathlib import Path

import pytest

from tools.bench import best, crowd_table, goals, instruction_table, instructions, pages, report
from tools.bench.targets import OURS

RATES = {OURS: 900.0, "fastapi-sync": 100.0, "fastapi-async": 300.0, "ogen-strict": 1000.0, "ogen-client": 1200.0}


def test_parts_add_up_and_a_repeated_part_replaces_its_records(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    first = [{"database": "sqlite", "workload": name, "rate": 1} for name in ("get", "list")]
    assert report.with_earlier_parts(file, first) == first
    file.write_text(json.dumps({"records": first}))
    second = [
        {"database": "sqlite", "workload": "list", "rate": 2},
        {"database": "postgresql", "workload": "get", "rate": 3},
    ]
    assert report.with_earlier_parts(file, second) == [first[0], *second]


def test_fastest_variant_of_a_framework_stands_for_it_and_both_views_of_ogen_are_shown() -> None:
    assert best.variants(RATES) == [OURS, "fastapi-async", "ogen-strict", "ogen-client"]


def test_table_of_best_variants_has_postgresql_beside_sqlite() -> None:
    rates = {("sqlite", "get", peer): rate for peer, rate in RATES.items()}
    rates |= {("postgresql", "get", "fastapi-sync"): 50.0, ("postgresql", "get", "fastapi-async"): 40.0}
    lines = best.table(rates, ["sqlite", "postgresql"]).splitlines()
    assert lines[2] == "| | GET one collection, SQLite | GET one collection, PostgreSQL |"
    assert "| FastAPI | 300 | 50 |" in lines
    assert "| **Music Studio** | 900 | - |" in lines


@pytest.mark.parametrize(("ours", "verdict"), [(900.0, "met"), (899.0, "**not met**")])
def test_goal_is_met_from_its_minimum_on_against_the_faster_of_both(ours: float, verdict: str) -> None:
    rates = RATES | {OURS: ours}

    def median(field: str, kind: str, peer: str, workload: str) -> float:
        return rates.get(peer, 0.0) if (field, kind, workload) == ("rate", "sqlite", "get") else 0.0

    rows = goals.table(median, {})
    title = "GET one collection, sqlite / FastAPI with Core, the better of both"
    assert [row for row in rows if title in row] == [f"| {title} | 3.00 | {ours / 300:.2f} | {verdict} |"]


def test_goal_without_one_of_its_peers_is_left_out() -> None:
    rates = {OURS: 900.0, "fastapi-sync": 100.0}
    assert goals.table(lambda _field, _kind, peer, _workload: rates.get(peer, 0.0) * (_field == "rate"), {}) == []


def test_cost_of_telemetry_is_a_goal() -> None:
    [*_, met, missed, _] = goals.table(lambda *_: 0.0, {"sqlite": 1.05, "postgresql": 1.051})
    assert met.endswith("| at most 1.05 | 1.050 | met |")
    assert missed.endswith("| at most 1.05 | 1.051 | **not met** |")


def test_crowd_shows_the_ratio_to_each_peer_and_failures() -> None:
    common = {"database": "postgresql", "scenario": "storm", "p50": 1, "p99": 2, "max": 3, "memory": 50}
    rows = crowd_table.table(
        [common | {"peer": OURS, "rate": 900, "failed": 0}, common | {"peer": "fastify", "rate": 300, "failed": 7}]
    )
    assert "| **Music Studio** | 900 | 1.0 | 0 | 1 | 2 | 3 | 50 |" in rows
    assert "| Fastify (Node) | 300 | 3.0 | 7 | 1 | 2 | 3 | 50 |" in rows


PROFILE = """\
events: Ir
ob=(1) /usr/lib/libpython3.11.so.1.0
fl=(1) ceval.c
fn=(1) eval
10 100
cob=(2) /usr/lib/libsqlite3.so.0
cfn=(2) step
calls=3 20
11 5000
+2 11
ob=(2)
fn=(2)
20 4000
-1 1000
ob=(3) /lib/libc.so.6
fn=(3) memcpy
* 7
ob=(4) /x/lib/python3.11/site-packages/httptools/parser/parser.cpython-311-x86_64-linux-gnu.so
fn=(4) parse
* 30

totals: 5148
"""


def test_instructions_are_counted_where_they_are_and_not_again_in_the_caller() -> None:
    counted = instructions.parts_of(PROFILE)
    assert counted == {"interpreter": 111, "SQLite": 5000, "others": 7, "server": 30}
    assert sum(counted.values()) == int(PROFILE.split("totals: ")[1])


def test_section_of_instructions_divides_a_get_into_server_query_and_the_rest(tmp_path: Path) -> None:
    assert instruction_table.section(tmp_path) == ""
    counts = {
        instruction_table.EMPTY["stock"]: {"interpreter": 100_000},
        instruction_table.EMPTY["own"]: {"interpreter": 120_000},
        instruction_table.BARE: {"interpreter": 150_000, "SQLite": 50_000},
        instruction_table.OURS: {"interpreter": 300_000, "SQLite": 100_000},
    }
    records = [{"title": title, "workload": "get", "parts": parts} for title, parts in counts.items()]
    about = {"python": "3.11", "machine": "x86_64", "times": 200}
    (tmp_path / instruction_table.FILE).write_text(json.dumps({"about": about, "records": records}))
    section = " ".join(instruction_table.section(tmp_path).split())
    assert "| **Music Studio: GET one collection** | 400 | 300 | 100 | 0 | 0 | 0 |" in section
    assert "Of the 400 thousand instructions of the service's GET, 120 are its protocol" in section
    assert "100 are what key, query, driver and JSON cost bare ASGI, and 180 are the rest" in section
    assert "it would need 55% of what it needs now" in section
    assert "executes 75% of all its instructions, and 75% of those of bare ASGI" in section


def _records(**times: list[int]) -> pages.Records:
    return [{"page": page, "bytes": 1500, "requests": 3, "milliseconds": t} for page in times for t in times[page]]


def test_section_of_the_pages_has_medians_and_their_part_of_the_explorers() -> None:
    times = {visit.name: [90, 100, 900] for visit in pages.VISITS} | {pages.EXPLORER: [400, 400, 400]}
    text = pages.section(_records(**times), 3)
    assert "\n| front | 1,500 | 3 | 100 | 0.25 |\n" in text
    assert text.count("\n| ") == len(pages.VISITS) + 2


def test_report_keeps_the_section_of_the_pages(tmp_path: Path) -> None:
    file = tmp_path / "benchmark.md"
    assert pages.section_of(file) == ""
    file.write_text(pages.with_section("# Benchmark\n", f"{pages.TITLE}\n\nold\n"))
    assert pages.section_of(file) == f"\n{pages.TITLE}\n\nold\n"
    renewed = pages.with_section(file.read_text(), f"{pages.TITLE}\n\nnew\n")
    assert renewed == f"# Benchmark\n\n{pages.TITLE}\n\nnew\n"
    assert "# Benchmark\n" + pages.section_of(file) == file.read_text()
