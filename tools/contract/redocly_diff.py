"""What `redocly diff` finds between two contracts, as findings."""

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
# What to do instead of what a rule of redocly's has found.
_REMEDIES = {
    "enum-values-added": "Clients know the values by heart: send a new one only to those who asked for it.",
    "enum-values-removed": "Keep taking the old value.",
    "media-type-removed": "Keep the old media type beside the new one.",
    "operation-id-changed": "Keep the operationId: it is the name of a function in every client.",
    "operation-removed": "Keep it, say `deprecated: true`, and remove it in a major version.",
    "parameter-became-required": "Give it a default that does what was done before.",
    "parameter-removed": "Keep taking it, say `deprecated: true`, and ignore it.",
    "parameter-serialization-changed": "Add a parameter with the new form.",
    "path-removed": "Keep it, say `deprecated: true`, and remove it in a major version.",
    "property-removed": "Keep it, say `deprecated: true`, and remove it in a major version.",
    "request-body-became-required": "Do without a body what was done before.",
    "request-body-removed": "Keep taking the body, and ignore it.",
    "required-properties-added": "Make it optional, with a default that does what was done before.",
    "required-properties-removed": "Keep sending it; it can be null only if it always could.",
    "response-header-removed": "Keep sending the header.",
    "response-removed": "Keep documenting the status.",
    "schema-combinator-changed": "Add a field with the new form.",
    "schema-constraint-changed": "Take in what was taken before, and send only what could be sent before.",
    "schema-type-changed": "Add a field with the new type, and keep the old one.",
    "security-requirement-changed": "Keep letting in whoever was let in.",
    "security-scheme-changed": "Add a scheme, and keep the old one.",
    "server-removed": "Keep the old address working.",
}

_WORDS = {"description", "summary", "example", "examples", "title", "x-related", "name", "url", "version"}
_PROSE = {"Info", "Contact", "License", "Example", "ExamplesMap", "Tag", "Link", "ExternalDocs"}


def findings(base: Path, revision: Path) -> list[Finding]:
    """Every change that it sees, rated. Raises RuntimeError where it cannot run, OSError where it is not installed."""
    program = ROOT / "node_modules" / ".bin" / "redocly"
    told = subprocess.run(
        [program, "diff", base, revision, "--config", RULES, "--format", "json", "--fail-on", "none"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        raise RuntimeError(f"redocly diff failed: {told.stderr or told.stdout}")
    return [finding for change in json.loads(told.stdout)["changes"] for finding in _found(change)]


def environment() -> dict[str, str]:
    """What the tools of Node need: the Node of our own environment, and silence towards their makers."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | _QUIET | {"PATH": path}


def _found(change: dict[str, Any]) -> list[Finding]:
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
    """Redocly calls all that breaks nobody a patch; what is more than words is something new to use."""
    only_words = change.get("property") in _WORDS or change["typeName"] in _PROSE
    return "minor" if change["impact"] == "patch" and not only_words else str(change["impact"])


def _whom(pointer: str) -> str:
    """Who meets a change: whoever calls an operation, sends it something, or reads its answer."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.removeprefix("#/").split("/")]
    if parts[0] != "paths" or len(parts) < 2:
        return "everybody"
    title = f"{parts[2].upper()} {parts[1]}" if len(parts) > 2 and parts[2] != "parameters" else parts[1]
    if "responses" in parts[3:4]:
        return f"who reads the {parts[4]} of {title}" if len(parts) > 4 else f"who reads the answers of {title}"
    return f"who calls {title}" if len(parts) <= 3 else f"who sends {title}"
