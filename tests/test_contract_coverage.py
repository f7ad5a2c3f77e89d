"""Contract coverage: which facts an exchange counts, and which missing facts fail a run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from settings import ROOT
from tools.contract.coverage_facts import Exchange, Fact, Tally
from tools.contract.coverage_report import UNREACHABLE, Coverage, summary, write
from tools.testing import contract_coverage
from tools.testing.service import HOME, NO_COLLECTION, operations, resolved
from web.contract import document as contract

LIST = f"/v1/music/{HOME}/collections"


def _seen(method: str, path: str, status: int, *, query: str = "", body: Any = None, response: Any = None,
          **headers: str) -> set[tuple[str, str, str]]:  # fmt: skip
    tally = Tally(contract.document())
    sent, received = (b"" if value is None else json.dumps(value).encode() for value in (body, response))
    tally.add(Exchange(method, path, query, headers, sent, status, received))
    return set(tally.found)


def test_success_counts_only_for_its_operation() -> None:
    found = _seen("GET", LIST, 200, query="limit=5")
    assert {fact[1] for fact in found} == {"list_collections"}
    assert {("operation", "list_collections", "succeeds"), ("status", "list_collections", "200")} <= found
    assert ("parameter", "list_collections", "query limit given") in found
    assert ("parameter", "list_collections", "query offset absent") in found


def test_only_a_rejected_value_counts_as_invalid_parameter() -> None:
    name = ("parameter", "list_collections", "query limit invalid")
    assert name in _seen("GET", LIST, 422, query="limit=101")
    assert name not in _seen("GET", LIST, 200, query="limit=100")
    assert ("parameter", "list_collections", "query limit given") not in _seen("GET", LIST, 401, query="limit=100")


def test_schema_rule_is_kept_by_accepted_and_broken_by_rejected_values() -> None:
    kept = _seen("POST", LIST, 201, body={"name": "a", "description": None})
    assert ("keyword", "create_collection", "/name maxLength kept") in kept
    assert ("keyword", "create_collection", "/description nullable kept") in kept
    assert ("keyword", "create_collection", "/description maxLength kept") not in kept
    broken = _seen("POST", LIST, 422, body={"name": "", "colour": 1})
    assert ("keyword", "create_collection", "/name minLength broken") in broken
    assert ("keyword", "create_collection", "/ additionalProperties broken") in broken
    assert not {fact for fact in broken if fact[2].endswith("kept")}
    assert ("keyword", "create_collection", "/name required broken") in _seen("POST", LIST, 422, body={})
    assert not {fact for fact in _seen("POST", LIST, 401, body={}) if fact[0] == "keyword"}


def test_rule_of_array_items_has_one_pointer() -> None:
    found = _seen("PATCH", f"{LIST}/{NO_COLLECTION}/order", 422, body={"ordered_track_ids": ["x", "x"]})
    assert ("keyword", "reorder_collection", "/ordered_track_ids/* pattern broken") in found
    assert ("keyword", "reorder_collection", "/ordered_track_ids uniqueItems broken") in found


def test_error_example_is_matched_by_code_and_violations() -> None:
    [example] = _responses("list_collections", "422").values()
    assert ("example", "list_collections", "422 invalid_collection_query") in _seen("GET", LIST, 422, response=example)
    less = json.loads(json.dumps(example))
    del less["error"]["details"]["errors"][0]
    assert not {fact for fact in _seen("GET", LIST, 422, response=less) if fact[0] == "example"}


def test_request_example_is_matched_by_shape() -> None:
    found = _seen("POST", LIST, 201, body={"name": "Another"})
    assert ("example", "create_collection", "request name_only") in found
    assert ("example", "create_collection", "request name_and_description") not in found


def test_status_405_counts_for_every_operation_of_the_path() -> None:
    found = _seen("PUT", LIST, 405)
    assert {fact for fact in found if fact[0] == "status"} == {
        ("status", "list_collections", "405"),
        ("status", "create_collection", "405"),
    }


def test_trailing_slash_counts_as_404_of_the_operation() -> None:
    assert _seen("GET", LIST + "/", 404) == {("status", "list_collections", "404")}
    assert not _seen("GET", "/v1/nothing", 404)


@pytest.mark.parametrize(
    ("sent", "path", "rest"),
    [
        (b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /", "/v1/health/live", b"GET /"),
        (b"POST /a?b=c HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}GET", "/a", b"GET"),
        (b"GET http://x/v1/health/live HTTP/1.1\r\nHos", "/v1/health/live", b""),
    ],
)
def test_raw_bytes_are_counted(monkeypatch: pytest.MonkeyPatch, sent: bytes, path: str, rest: bytes) -> None:
    taken: list[Exchange] = []
    tally = Tally(contract.document())
    monkeypatch.setattr(tally, "add", taken.append)
    monkeypatch.setattr(contract_coverage, "_tallies", [tally])
    assert contract_coverage.count_raw_exchange(sent, 200, b"") == rest
    assert [exchange.path for exchange in taken] == [path]


def test_missing_status_fails_the_run_with_advice() -> None:
    expected = Tally(contract.document()).expected()
    whole = Coverage(expected, expected - UNREACHABLE.keys(), UNREACHABLE)
    assert not list(whole.failures())
    assert all("100.0 %" in line for line in summary(whole))
    gone = Fact("status", "get_collection", "412")
    lacking = Fact("status", "get_collection", "304")
    poorer = Coverage(expected, whole.found - {lacking} | {gone}, UNREACHABLE)
    assert list(poorer.failures()) == [
        "get_collection 304: no test has it; add one in tests/test_statuses.py, PROVOCATIONS.",
        "get_collection returned 412, which the contract does not document.",
    ]


def test_stale_exemption_fails_the_run() -> None:
    expected = Tally(contract.document()).expected()
    known = Fact("status", "get_liveness", "503")
    gone = Fact("status", "get_liveness", "999")
    stale = Coverage(expected, expected - UNREACHABLE.keys() | {known}, {**UNREACHABLE, gone: "it was once"})
    assert [line.partition(":")[0] for line in stale.failures()] == [
        "get_liveness 503 was met after all",
        "get_liveness 999 is not in the contract",
    ]


def test_report_lists_missing_facts(tmp_path: Path) -> None:
    expected = Tally(contract.document()).expected()
    write(Coverage(expected, expected - {Fact("parameter", "list_collections", "query limit invalid")}, {}), tmp_path)
    report = json.loads((tmp_path / "contract.json").read_text(encoding="utf-8"))
    assert report["missing"] == [{"kind": "parameter", "operation": "list_collections", "what": "query limit invalid"}]
    text = (tmp_path / "contract.md").read_text(encoding="utf-8")
    assert "`list_collections` parameter: query limit invalid" in text


ONE_EXCHANGE = """
from tools.contract.coverage_facts import Exchange
from tools.testing import contract_coverage

def test_one():
    contract_coverage._count(Exchange("GET", "/v1/health/live", "", {}, b"", 200, b""))

def test_another():
    contract_coverage._count(Exchange("GET", "/v1/health/ready", "", {}, b"", 503, b""))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_coverage_is_merged_across_xdist_workers(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_small.py").write_text(ONE_EXCHANGE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-n", workers, "-p", "no:cacheprovider",
         contract_coverage.OPTION, contract_coverage.REPORT, tmp_path / "report", tmp_path / "test_small.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "2 passed" in done.stdout
    assert "get_liveness 404: no test has it; add one in tests/test_statuses.py" in done.stdout
    counts = json.loads((tmp_path / "report" / "contract.json").read_text(encoding="utf-8"))["counts"]
    assert (counts["operation"]["exercised"], counts["status"]["exercised"]) == (1, 2)


def _responses(operation_id: str, status: str) -> dict[str, Any]:
    [row] = [operation for operation in operations() if operation.id == operation_id]
    shown = resolved(row.node["responses"][status])["content"]["application/json"]["examples"]
    return {name: resolved(node)["value"] for name, node in shown.items()}
