"""Operations of the contract and functions of the handlers have the same names."""

import importlib
import inspect
import pkgutil
from typing import Any

import handlers
from tests.rules.tree import listed
from web.contract import document as contract


def test_every_operation_has_one_tag() -> None:
    loose = [name for name, operation in _declared().items() if len(operation.get("tags", ())) != 1]
    assert not loose, f"The tag names the handler's module, so an operation needs exactly one:{listed(loose)}"


def test_every_operation_has_its_handler() -> None:
    missing = sorted(_contract_names() - _handler_names())
    assert not missing, (
        f"Operations without a handler:{listed(missing)}\n"
        "Write that function in that module: its name is the operationId, its arguments are the contract's parameters."
    )


def test_every_public_handler_is_in_the_contract() -> None:
    unknown = sorted(_handler_names() - _contract_names())
    assert not unknown, (
        f"Public functions of handlers/ without an operation:{listed(unknown)}\n"
        "Add the operation to openapi/paths/<tag>.yaml and its path to openapi/openapi.yaml, or let its name "
        "begin with an underscore."
    )


def test_every_handler_module_is_a_tag() -> None:
    tags = {tag["name"] for tag in contract.document()["tags"]}
    modules = {module.name for module in pkgutil.iter_modules(handlers.__path__)}
    assert modules == tags, (
        f"Modules without a tag: {sorted(modules - tags)}; tags without a module: {sorted(tags - modules)}.\n"
        "One tag of the contract is one module of handlers/; what two of them share belongs to models/ (data) or web/ "
        "(HTTP)."
    )


def _declared() -> dict[str, dict[str, Any]]:
    paths = contract.document()["paths"].values()
    operations = [path[method] for path in paths for method in contract.METHODS if method in path]
    return {operation["operationId"]: operation for operation in operations}


def _contract_names() -> set[str]:
    return {f"handlers/{tag}.py {name}" for name, operation in _declared().items() for tag in operation["tags"]}


def _handler_names() -> set[str]:
    modules = [importlib.import_module(f"handlers.{module.name}") for module in pkgutil.iter_modules(handlers.__path__)]
    return {
        f"handlers/{module.__name__.removeprefix('handlers.')}.py {name}"
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
