"""Runs the Arazzo document against a server with Redocly's `respect`."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

from tools.workflows.arazzo import HOME
from tools.workflows.servers import ROOT, Served

REDOCLY = ROOT / "node_modules" / ".bin" / "redocly"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "REDOCLY_SUPPRESS_NOTIFICATIONS": "true"}


def respect(served: Served, document: Path = HOME) -> subprocess.CompletedProcess[str]:
    """The completed process; its status is 0 if every step succeeds and every response is documented."""
    values = served.inputs | {"idempotency_key": secrets.token_hex(16)}
    inputs = ",".join(f"{name}={value}" for name, value in values.items())
    command = [str(REDOCLY), "respect", str(document), "-S", f"contract={served.url}/v1", "-i", inputs]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environ = os.environ | QUIET | {"PATH": path}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
