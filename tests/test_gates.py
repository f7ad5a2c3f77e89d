"""Contract tools: mutants, and the page on adding an operation."""

import json
from pathlib import Path

import pytest

from settings import ROOT
from tools.contract import checklist, doc_runner, mutation
from tools.contract.mutant_checks import checkout_with
from tools.contract.mutation_operators import OPERATORS
from tools.contract.mutation_operators import mutants as made
from web.contract import document as contract

PAGE = (ROOT / checklist.PAGE).read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_operator_makes_a_mutant_and_every_mutant_differs() -> None:
    found = list(made(contract.load(), 1))
    assert {mutant.operator for mutant in found} == set(OPERATORS)
    assert all(mutant.document != contract.load() for mutant in found)
    assert len(list(made(contract.load()))) >= 50


def test_mutants_are_deterministic() -> None:
    first, second = ([mutant.title for mutant in made(contract.load())] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)


def test_checkout_contains_the_mutant(tmp_path: Path) -> None:
    mutant = next(made(contract.load()))
    folder = checkout_with(tmp_path / "mutant", mutant.document)
    assert contract.load(folder / "openapi" / "openapi.yaml") == mutant.document
    assert json.loads((folder / "dist" / "openapi.json").read_text(encoding="utf-8")) == mutant.document


def test_surviving_mutant_needs_a_reason() -> None:
    assert {reason.partition(": ")[0] for reason in mutation.REASONS} <= set(OPERATORS)
    mutant = next(made(contract.load()))
    assert mutation.MutantResult(mutant, "", "").unexplained
    assert not mutation.MutantResult(mutant, "the tests", "one failed").unexplained


def test_page_on_adding_an_operation_applies_to_the_project(tmp_path: Path) -> None:
    checklist.copy(tmp_path)
    steps = list(doc_runner.steps(PAGE))
    for step in steps:
        if step.file:
            doc_runner.write(step, tmp_path)
    document = contract.load(tmp_path / "openapi" / "openapi.yaml")
    names = {
        node["operationId"] for item in document["paths"].values() for node in item.values() if "operationId" in node
    }
    assert set(checklist.OPERATIONS) <= names
    assert set(checklist.TYPES) <= set(document["components"]["schemas"])
    assert "make clients" in [command for step in steps for command in step.commands]


@pytest.mark.parametrize(
    ("info", "text"),
    [
        ("file=a.txt", "new\n"),
        ('file=there.txt below="nowhere"', "new\n"),
        ('file=there.txt instead-of="twice"', "new\n"),
    ],
)
def test_inapplicable_page_step_is_rejected(tmp_path: Path, info: str, text: str) -> None:
    (tmp_path / "a.txt").write_text("old\n", encoding="utf-8")
    (tmp_path / "there.txt").write_text("twice\ntwice\n", encoding="utf-8")
    [step] = doc_runner.steps(f"Some words.\n\n```text {info}\n{text}```\n")
    with pytest.raises(ValueError, match=r"exists already|exactly one line"):
        doc_runner.write(step, tmp_path)


def test_page_step_writes_at_the_named_place(tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text('one\nx = ["a"]\n', encoding="utf-8")
    page = '```text file=there.txt below="one"\ntwo\n```\n'
    page += '```text file=there.txt instead-of="x = [\\"a\\"]"\nx = 1\n```\n'
    for step in doc_runner.steps(page):
        doc_runner.write(step, tmp_path)
    assert (tmp_path / "there.txt").read_text(encoding="utf-8") == "one\ntwo\nx = 1\n"
