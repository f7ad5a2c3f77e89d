"""The compiled contract is that of the tree, and is not served when a file has changed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from web.contract import compiled, document

SHOW = (
    "import json; from web.contract import compiled, document; "
    "print(json.dumps([compiled._read() is not None, compiled.load(document.HOME)['info']['title']]))"
)


def test_the_compiled_contract_is_that_of_the_tree() -> None:
    assert compiled.FILE.read_bytes() == compiled.to_bytes(), "run `make generate`"
    assert compiled.load(document.HOME) == document.load()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("generated", "models", "openapi", "web"):
        shutil.copytree(compiled.ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _served(tree: Path) -> Any:
    """Whether the compiled contract is used, and the title of the served one."""
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=tree, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_another_document_is_served_as_it_is(tree: Path) -> None:
    title = document.document()["info"]["title"]
    assert _served(tree) == [True, title]
    home = tree / "openapi" / "openapi.yaml"
    home.write_text(home.read_text().replace(title, "Another API", 1))
    assert _served(tree) == [False, "Another API"]


@pytest.mark.parametrize("file", ["openapi/new.yaml", "web/contract/bundle.py", "web/contract/keywords.yaml"])
def test_a_changed_reader_or_a_new_file_ends_the_compiled_contract(tree: Path, file: str) -> None:
    with (tree / file).open("a") as lines:
        lines.write("\n")
    assert _served(tree)[0] is False


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"document": {}, "digest": null}'])
def test_a_broken_compiled_contract_is_ignored(tree: Path, content: str) -> None:
    (tree / "generated" / "contract.json").write_text(content)
    assert _served(tree) == [False, document.document()["info"]["title"]]


def test_a_missing_compiled_contract_is_made_up_for(tree: Path) -> None:
    (tree / "generated" / "contract.json").unlink()
    assert _served(tree) == [False, document.document()["info"]["title"]]
