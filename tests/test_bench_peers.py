"""The contract that the generators of the benchmark's peers read, and when the Go servers are built anew."""

import json
from pathlib import Path

import pytest

from tools.bench import ogen
from tools.bench.peers.music.contract import OPERATIONS, of_successes, of_workloads
from tools.bench.targets import ALL, Peer
from web.contract import document, relaxed_contract
from web.contract.document import METHODS

VIEWS = [document.document(), relaxed_contract.relax(document.document())]


@pytest.mark.parametrize("view", VIEWS, ids=["strict", "client"])
def test_reduced_contract_has_the_operations_of_the_workloads_and_one_credential(view: dict[str, object]) -> None:
    reduced = of_workloads(view)
    found = [item[method] for item in reduced["paths"].values() for method in METHODS if method in item]
    assert {operation["operationId"] for operation in found} == OPERATIONS
    assert reduced["components"]["securitySchemes"].keys() == {"ApiKeyAuth"}


@pytest.mark.parametrize("view", VIEWS, ids=["strict", "client"])
def test_contract_of_successes_has_no_dangling_reference(view: dict[str, object]) -> None:
    reduced = of_successes(view)
    answers = [
        answer for item in reduced["paths"].values() for m in METHODS if m in item for answer in item[m]["responses"]
    ]
    assert set(answers) <= {"200", "201"}
    text = json.dumps(reduced)
    sections = {part.partition("/")[0] for part in text.split('"#/components/')[1:]}
    assert sections <= reduced["components"].keys()


def test_go_server_is_built_anew_when_a_source_or_its_view_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in (("main.go", "package main"), ("strict.yaml", "a"), ("client.yaml", "b")):
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(ogen, "HOME", tmp_path)
    before = {view: ogen._digest("{}", view) for view in ogen.VIEWS}
    assert ogen._digest('{"openapi": "3.0.3"}', "strict") != before["strict"]
    (tmp_path / "client.yaml").write_text("c")
    assert ogen._digest("{}", "strict") == before["strict"]
    assert ogen._digest("{}", "client") != before["client"]
    (tmp_path / "main.go").write_text("package other")
    assert ogen._digest("{}", "strict") != before["strict"]


@pytest.mark.parametrize("peer", ALL, ids=lambda peer: peer.name)
def test_every_server_may_write_its_bytecode(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("HOME", "/home/bench")
    environ = peer.environment("sqlite:///a.db", "pepper", 8080, {})
    assert environ["HOME"] == "/home/bench"
    assert "PYTHONDONTWRITEBYTECODE" not in environ
