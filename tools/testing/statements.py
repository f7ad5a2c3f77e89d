"""All SQL statements that are constants of the modules of models."""

import importlib
import pkgutil

from sqlalchemy import Delete, Executable, Insert, Select, Update

import models


def statements() -> dict[str, Executable]:
    """Every statement constant of models, by its qualified name."""
    modules = [importlib.import_module(f"models.{info.name}") for info in pkgutil.iter_modules(models.__path__)]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Select | Insert | Update | Delete)
    }
