"""The report of a benchmark that was run in parts."""

import json
from pathlib import Path

from tools.bench import report


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
