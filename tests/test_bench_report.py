"""The report of a benchmark that was run in parts."""

import json
from pathlib import Path

from tools.bench import pages, report


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
