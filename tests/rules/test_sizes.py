"""A module fits into one sitting, and a function on one screen."""

import ast

from tests.rules.tree import at, listed, parse, rooms

MAX_MODULE = 250
MAX_FUNCTION = 40


def test_no_module_outgrows_its_subject() -> None:
    sizes = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in rooms()}
    found = [f"{at(file)}: {lines} lines" for file, lines in sizes.items() if lines > MAX_MODULE]
    assert not found, (
        f"Modules over {MAX_MODULE} lines:{listed(found)}\n"
        "It has two subjects by now: give the smaller one a module of its own, named after it."
    )


def test_no_function_needs_scrolling() -> None:
    found = [f"{at(file, f.lineno)} {f.name}: {_length(f)} lines" for file in rooms() for f in _long(parse(file))]
    assert not found, (
        f"Functions over {MAX_FUNCTION} lines:{listed(found)}\n"
        "Most of ours have five to ten lines. Name its steps, and make each step a function."
    )


def _long(module: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    functions = (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [node for node in functions if _length(node) > MAX_FUNCTION]


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1
