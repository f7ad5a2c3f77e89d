"""The types of every contract that is served can be made, as `make generate` makes them, and be imported."""

import json
import runpy
from pathlib import Path

import pytest
from datamodel_code_generator.__main__ import main

from settings import ROOT
from tools.testing import keyword_cases
from tools.testing.keyword_cases import Case
from tools.testing.small_service import write
from web.contract import document

pytestmark = pytest.mark.slow

CASES = keyword_cases.cases()


@pytest.mark.parametrize("case", CASES.values(), ids=["-".join(row) for row in CASES])
def test_types_of_a_supported_contract_are_made(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # the options of the generator are in pyproject.toml
    bundle, types = tmp_path / "openapi.json", tmp_path / "wire.py"
    bundle.write_text(json.dumps(document.load(write(tmp_path, case.one, **case.files))), encoding="utf-8")
    assert main(["--input", str(bundle), "--output", str(types)]) == 0
    made = runpy.run_path(str(types))
    assert {"ErrorEnvelope", "ErrorBody"} <= made.keys()
