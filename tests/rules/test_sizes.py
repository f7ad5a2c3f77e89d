"""Limits of the lines of a module and of a function."""

import ast

from tests.rules.tree import at, listed, parse, runtime_modules

MAX_MODULE = 250
MAX_FUNCTION = 40


def test_modules_have_at_most_250_lines() -> None:
    sizes = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in runtime_modules()}
    found = [f"{at(file)}: {lines} lines" for file, lines in sizes.items() if lines > MAX_MODULE]
    assert not found, (
        f"Modules over {MAX_MODULE} lines:{listed(found)}\nMove one subject of the module to a module of its own."
    )


def test_functions_have_at_most_40_lines() -> None:
    found = [
        f"{at(file, f.lineno)} {f.name}: {_length(f)} lines" for file in runtime_modules() for f in _long(parse(file))
    ]
    assert not found, (
        f"Functions over {MAX_FUNCTION} lines:{listed(found)}\n"
        "Most functions have five to ten lines. Split it into its steps."
    )


def _long(module: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    functions = (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [node for node in functions if _length(node) > MAX_FUNCTION]


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1
