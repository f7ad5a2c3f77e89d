"""Who may import whom, who may read the environment, and what a room may be called."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.rules.tree import ROOT, at, everything, listed, parse, service

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}
DRAWERS = {"common", "core", "helper", "helpers", "lib", "misc", "services", "shared", "util", "utils"}


def test_rooms_import_downwards_only() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    command = [str(lint_imports), "--no-logo", "--no-cache"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, (
        f"{told.stdout}{told.stderr}\n"
        "An import crosses a wall between rooms. The ways: handlers -> web -> models; cli -> ops -> models; "
        "models and generated import nothing of ours. Move the code to the room where it belongs (about data: models; "
        "about HTTP: web), or hand the value down as an argument. The walls stand in pyproject.toml, "
        "[tool.importlinter]."
    )


def test_the_front_doors_reach_handlers_through_the_contract_only() -> None:
    doors = (ROOT / "app.py", ROOT / "cli" / "main.py")
    found = [
        at(authenticator, line)
        for authenticator in doors
        for line, name in _imports(authenticator)
        if name == "handlers"
    ]
    assert not found, (
        f"A handler is imported by hand:{listed(found)}\n"
        "Handlers are found by name: an operation's tag is the module, its operationId the function. Delete the import."
    )


def test_nothing_imports_the_tests_and_the_service_imports_no_tool() -> None:
    service_files = set(service())
    found = [
        at(file, line)
        for file in everything()
        for line, name in _imports(file)
        if (name == "tests" and file.is_relative_to(ROOT / "tools")) or (name == "tools" and file in service_files)
    ]
    assert not found, (
        f"An import goes the wrong way:{listed(found)}\n"
        "tests/ may import tools/, tools/ may import the service, and nothing the other way round. What they share "
        "belongs in tools/testing/."
    )


def test_only_settings_reads_the_environment() -> None:
    found = [at(file, line) for file in service() if file.name != "settings.py" for line in _environment(file)]
    assert not found, (
        f"The environment is touched outside settings.py:{listed(found)}\n"
        "Add a field to settings.Settings and pass its value down as a plain argument."
    )


def test_no_room_is_a_drawer_for_everything() -> None:
    found = [at(file) for file in everything() if DRAWERS & _names(file)]
    assert not found, (
        f"A name that says nothing:{listed(found)}\n"
        "A function used once lives next to its use; one used often belongs to the module of its subject."
    )


def test_handlers_have_no_tests_of_their_own() -> None:
    assert not (ROOT / "tests" / "handlers").exists(), (
        "tests/handlers would shadow the room of that name. Handlers are tested through HTTP: tests/test_<tag>.py."
    )


def _names(file: Path) -> set[str]:
    return set(file.relative_to(ROOT).with_suffix("").parts)


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(parse(file)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module.partition(".")[0]


def _environment(file: Path) -> Iterator[int]:
    for node in ast.walk(parse(file)):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr=name) if name in ENVIRONMENT:
                yield node.lineno
            case ast.ImportFrom(module="os", names=names) if ENVIRONMENT & {alias.name for alias in names}:
                yield node.lineno
