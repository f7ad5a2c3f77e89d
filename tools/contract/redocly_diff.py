"""The changes between two contracts that `redocly diff` finds, as findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from settings import ROOT
from tools.contract.change import Finding

RULES = ROOT / "tools" / "contract" / "redocly.yaml"
_QUIET = {
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    "REDOCLY_SUPPRESS_NOTIFICATIONS": "true",
}
# The remedy for each rule of Redocly.
_REMEDIES = {
    "enum-values-added": "Clients have the values built in: send a new one only to clients that request it.",
    "enum-values-removed": "Keep accepting the old value.",
    "media-type-removed": "Keep the old media type beside the new one.",
    "operation-id-changed": "Keep the operationId: it is the name of a function in every client.",
    "operation-removed": "Keep it, set `deprecated: true`, and remove it in a major version.",
    "parameter-became-required": "Give it a default with the old behavior.",
    "parameter-removed": "Keep accepting it, set `deprecated: true`, and ignore it.",
    "parameter-serialization-changed": "Add a parameter with the new form.",
    "path-removed": "Keep it, set `deprecated: true`, and remove it in a major version.",
    "property-removed": "Keep it, set `deprecated: true`, and remove it in a major version.",
    "request-body-became-required": "Keep the old behavior for requests without a body.",
    "request-body-removed": "Keep accepting the body, and ignore it.",
    "required-properties-added": "Make it optional, with a default with the old behavior.",
    "required-properties-removed": "Keep sending it; it can be null only if it always could.",
    "response-header-removed": "Keep sending the header.",
    "response-removed": "Keep documenting the status.",
    "schema-combinator-changed": "Add a field with the new form.",
    "schema-constraint-changed": "Accept every value accepted before, and send only values that could be sent before.",
    "schema-type-changed": "Add a field with the new type, and keep the old one.",
    "security-requirement-changed": "Keep accepting the old credentials.",
    "security-scheme-changed": "Add a scheme, and keep the old one.",
    "server-removed": "Keep the old address working.",
}

_WORDS = {"description", "summary", "example", "examples", "title", "x-related", "name", "url", "version"}
_PROSE = {"Info", "Contact", "License", "Example", "ExamplesMap", "Tag", "Link", "ExternalDocs"}


def findings(base: Path, revision: Path) -> list[Finding]:
    """All changes, rated. Raises RuntimeError if `redocly diff` fails, OSError if it is not installed."""
    program = ROOT / "node_modules" / ".bin" / "redocly"
    done = subprocess.run(
        [program, "diff", base, revision, "--config", RULES, "--format", "json", "--fail-on", "none"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"redocly diff failed: {done.stderr or done.stdout}")
    return [finding for change in json.loads(done.stdout)["changes"] for finding in _findings(change)]


def environment() -> dict[str, str]:
    """The environment of Node tools: Node from our virtual environment, telemetry and update notices off."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | _QUIET | {"PATH": path}


def _findings(change: dict[str, Any]) -> list[Finding]:
    if change["path"] == "#/info" and change.get("property") == "version":
        return []
    whom, place = _whom(change["path"]), (change.get("revision") or change["base"])["pointer"].removeprefix("#/")
    if change["verdicts"]:
        return [
            Finding(verdict["impact"], whom, f"{verdict['message']} ({place})", _REMEDIES.get(verdict["ruleId"], ""))
            for verdict in change["verdicts"]
        ]
    subject = change.get("property") or change["typeName"].lower()
    return [Finding(_level(change), whom, f"{subject} was {change['kind']}. ({place})")]


def _level(change: dict[str, Any]) -> str:
    """Redocly's level; a non-breaking change of more than prose is minor, where Redocly says patch."""
    only_words = change.get("property") in _WORDS or change["typeName"] in _PROSE
    return "minor" if change["impact"] == "patch" and not only_words else str(change["impact"])


def _whom(pointer: str) -> str:
    """The affected clients: those that call an operation, send its request, or read its response."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.removeprefix("#/").split("/")]
    if parts[0] != "paths" or len(parts) < 2:
        return "everybody"
    title = f"{parts[2].upper()} {parts[1]}" if len(parts) > 2 and parts[2] != "parameters" else parts[1]
    if "responses" in parts[3:4]:
        return f"who reads the {parts[4]} of {title}" if len(parts) > 4 else f"who reads the responses of {title}"
    return f"who calls {title}" if len(parts) <= 3 else f"who sends {title}"
