"""Layering: who may import whom, who may read the environment, and forbidden module names."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.rules.tree import ROOT, all_modules, at, listed, parse, runtime_modules

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}
VAGUE_NAMES = {"common", "core", "helper", "helpers", "lib", "misc", "services", "shared", "util", "utils"}


def test_packages_import_downwards_only() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    command = [str(lint_imports), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"{done.stdout}{done.stderr}\n"
        "An import breaks the layering of the packages. Allowed: handlers -> web -> models; cli -> ops -> models; "
        "models and generated import no other package. Move the code to the package where it belongs (data: models; "
        "HTTP: web), or hand the value down as an argument. The layers are in pyproject.toml, "
        "[tool.importlinter]."
    )


def test_entry_points_do_not_import_handlers() -> None:
    entry_points = (ROOT / "app.py", ROOT / "cli" / "main.py")
    found = [at(file, line) for file in entry_points for line, name in _imports(file) if name == "handlers"]
    assert not found, (
        f"An entry point imports a handler:{listed(found)}\n"
        "Handlers are found by name: an operation's tag is the module, its operationId the function. Delete the import."
    )


def test_nothing_imports_the_tests_and_the_service_imports_no_tool() -> None:
    service_files = set(runtime_modules())
    found = [
        at(file, line)
        for file in all_modules()
        for line, name in _imports(file)
        if (name == "tests" and file.is_relative_to(ROOT / "tools")) or (name == "tools" and file in service_files)
    ]
    assert not found, (
        f"An import goes the wrong way:{listed(found)}\n"
        "tests/ may import tools/, tools/ may import the service, and nothing the other way round. What they share "
        "belongs in tools/testing/."
    )


def test_only_settings_reads_the_environment() -> None:
    found = [at(file, line) for file in runtime_modules() if file.name != "settings.py" for line in _environment(file)]
    assert not found, (
        f"The environment is read outside settings.py:{listed(found)}\n"
        "Add a field to settings.Settings and pass its value down as a plain argument."
    )


def test_no_module_is_named_util_or_common() -> None:
    found = [at(file) for file in all_modules() if VAGUE_NAMES & _names(file)]
    assert not found, (
        f"Module names without a subject:{listed(found)}\n"
        "A function used once lives next to its use; one used often belongs to the module of its subject."
    )


def test_there_is_no_tests_handlers_folder() -> None:
    assert not (ROOT / "tests" / "handlers").exists(), (
        "tests/handlers would shadow the package handlers. Handlers are tested through HTTP: tests/test_<tag>.py."
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
