"""The command of an installed Music Studio, beside its modules in the package `music_studio`."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    """Put the modules of the program first on the path, and run its command line."""
    folder = str(_folder())
    sys.path.insert(0, folder)
    # Other processes of the program start by the name of a module, such as `python -m cli`.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
    from cli.start import main as run

    run()


def _folder() -> Path:
    """This folder; for an editable installation the checkout, which is somewhere on the path."""
    here = Path(__file__).resolve().parent
    checkout = None if (here / "cli").is_dir() else find_spec("cli")
    return Path(checkout.origin).parents[1] if checkout and checkout.origin else here
