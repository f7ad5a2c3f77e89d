"""The changes between two contracts that `redocly diff` finds, as findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

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

_WORDS = {
    "description", "summary", "example", "examples", "title", "x-displayName", "x-related", "x-shown", "name", "url",
    "version",
}  # fmt: skip
_PROSE = {"Info", "Contact", "License", "Example", "ExamplesMap", "Tag", "Link", "ExternalDocs"}


def findings(base: dict[str, Any], revision: dict[str, Any]) -> list[Finding]:
    """All changes, rated. Raises RuntimeError if `redocly diff` fails, OSError if it is not installed."""
    program = ROOT / "node_modules" / ".bin" / "redocly"
    with tempfile.TemporaryDirectory(prefix="music-studio-diff-") as folder:
        files = [Path(folder, name) for name in ("base.json", "revision.json")]
        for file, document in zip(files, (base, revision), strict=True):
            file.write_text(json.dumps(document), encoding="utf-8")
        done = subprocess.run(
            [program, "diff", *files, "--config", RULES, "--format", "json", "--fail-on", "none"],
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


# Clients must tolerate a new value of these enumerations (decision 14).
_OPEN_ENUMS = ("#/components/schemas/ErrorCode/",)


def _findings(change: dict[str, Any]) -> list[Finding]:
    pointer = (change.get("revision") or change["base"])["pointer"]
    whom, place = _whom(change["path"]), _place(pointer)
    if change["verdicts"]:
        return [
            Finding(
                _impact(verdict, pointer), whom, f"{verdict['message']} ({place})", _REMEDIES.get(verdict["ruleId"], "")
            )
            for verdict in change["verdicts"]
        ]
    subject = change.get("property") or change["typeName"].lower()
    return [Finding(_level(change, pointer), whom, f"{subject} was {change['kind']}. ({place})")]


def _impact(verdict: dict[str, Any], pointer: str) -> str:
    is_open = verdict["ruleId"] == "enum-values-added" and pointer.startswith(_OPEN_ENUMS)
    return "minor" if is_open else str(verdict["impact"])


def _level(change: dict[str, Any], pointer: str) -> str:
    """Redocly's level; a non-breaking change of more than prose is minor, where Redocly says patch."""
    word = change.get("property") or pointer.rpartition("/")[2]
    only_words = word in _WORDS or change["typeName"] in _PROSE
    return "minor" if change["impact"] == "patch" and not only_words else str(change["impact"])


def _whom(pointer: str) -> str:
    """The affected clients: those that call an operation, send its request, or read its response."""
    parts = _parts(pointer)
    if parts[0] != "paths" or len(parts) < 2:
        return "everybody"
    title = f"{parts[2].upper()} {parts[1]}" if len(parts) > 2 and parts[2] != "parameters" else parts[1]
    if "responses" in parts[3:4]:
        return f"who reads the {parts[4]} of {title}" if len(parts) > 4 else f"who reads the responses of {title}"
    return f"who calls {title}" if len(parts) <= 3 else f"who sends {title}"


def _place(pointer: str) -> str:
    """Where a change is: method, path and the keys below them, or the component's section, name and keys."""
    parts = _parts(pointer)
    if parts[0] != "paths" or len(parts) < 3:
        return "/".join(parts)
    return f"{parts[2].upper()} {parts[1]} {'/'.join(parts[3:])}".strip()


def _parts(pointer: str) -> list[str]:
    """The keys of a JSON Pointer in a URI fragment (RFC 6901 sections 4 and 6)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in unquote(pointer).removeprefix("#/").split("/")]
