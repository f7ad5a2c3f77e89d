"""The command line on another document than the service's own: the file that the first argument names."""

import json
import sys
from pathlib import Path
from typing import Any

from cli import main as cli
from web.contract import document as contract

if __name__ == "__main__":
    other: dict[str, Any] = json.loads(Path(sys.argv.pop(1)).read_text(encoding="utf-8"))
    vars(contract)["document"] = lambda: other
    cli.main()
