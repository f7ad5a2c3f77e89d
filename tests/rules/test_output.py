"""Commands print through ops/output.py, which escapes control characters."""

import ast
from collections.abc import Iterator

from tests.rules.tree import ROOT, at, listed, parse

OUTPUT = ROOT / "ops" / "output.py"
# The help of a command group is the program's own text, with the colours of a terminal.
ALLOWED = {ROOT / "cli" / "options.py": 1}


def test_commands_print_through_the_output_module() -> None:
    files = [file for folder in ("cli", "ops") for file in sorted((ROOT / folder).rglob("*.py")) if file != OUTPUT]
    found = [at(file, line) for file in files for line in [*_prints(parse(file))][ALLOWED.get(file, 0) :]]
    assert not found, (
        f"Output that nothing has escaped:{listed(found)}\n"
        "A file name or a title may have control characters: use echo, show or show_json of ops/output.py."
    )


def test_the_rule_would_see_a_print() -> None:
    for text in ("typer.echo('a')", "click.secho('a')", "print('a')", "sys.stdout.write('a')", "Console().print('a')"):
        assert list(_prints(ast.parse(text))), text


def _prints(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="print")):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Name(id="typer" | "click"), attr="echo" | "secho")):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="stdout" | "stderr"), attr=str(attr))) if (
                attr.startswith("write")
            ):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Call(), attr="print")):
                yield node.lineno
