"""The tutorial: the workflows with the requests to type, and what the mock answered when they were typed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from tools.workflows.arazzo import Step, Workflow, document, workflows
from tools.workflows.servers import mocked
from web.contract import document as contract

HOME = Path(__file__).parents[2] / "docsite" / "tutorial.md"
SERVER = "http://127.0.0.1:8080"
KEY = "2f1d9c4e-7b3a-4c58-9e60-d1a8f7b25c34"
_VALUE = re.compile(r"\$(?:inputs|steps\.\w+\.outputs)\.(\w+)")
_TOLD = ("location", "etag", "idempotent-replayed")
_MOMENT, _REQUEST_ID = "2026-06-28T12:00:00Z", "req_jkl012abc"


class Told(NamedTuple):
    """An answer as curl printed it."""

    status: str
    headers: dict[str, str]
    body: Any


def text() -> str:
    """The page, in Markdown, as it is kept."""
    return HOME.read_text(encoding="utf-8")


def written() -> str:
    """The page, made anew: every request in it is run. What is new at each run, such as an id, is made the same."""
    with mocked() as served:
        known = {name.upper(): value for name, value in served.inputs.items()}
        begun = known | {"SERVER": served.url, "IDEMPOTENCY_KEY": KEY}
        numbers = count(1)  # through all chapters, so that no two headings are the same
        chapters = "".join(_chapter(workflow, dict(begun), numbers) for workflow in workflows())
    return _steady(_opening(known) + chapters)


def _opening(known: dict[str, str]) -> str:
    info = document()["info"]
    exports = "".join(f"export {name}={value}\n" for name, value in {"SERVER": SERVER, **known}.items())
    return (
        f"# {info['title']}\n\n{info['description']}\n\n"
        "To follow on your own machine, start the mock with `music-studio mock`. It needs no database, its keys are\n"
        f"the same at every start, and it forgets everything when it ends.\n\n```sh\n{exports}```\n"
    )


def _chapter(workflow: Workflow, known: dict[str, str], numbers: Iterator[int]) -> str:
    told = f"\n## {workflow.summary}\n\n{workflow.description}\n"
    if any("$inputs.idempotency_key" in step.parameters.values() for step in workflow.steps):
        told += f"\n```sh\nexport IDEMPOTENCY_KEY={KEY}\n```\n"
    return told + "".join(_section(next(numbers), step, known) for step in workflow.steps)


def _section(number: int, step: Step, known: dict[str, str]) -> str:
    command = _command(step)
    answer = _run(command, known)
    kept = list(_kept(step, answer, known))
    title = step.id.replace("_", " ").capitalize()
    return (
        f"\n### {number}. {title}\n\n{step.description}\n\n```sh cURL\n{command}\n```\n"
        f"\n```http {answer.status.partition(' ')[2]}\n{answer.status}\n"
        + "".join(f"{name}: {answer.headers[name]}\n" for name in _TOLD if name in answer.headers)
        + f"\n{json.dumps(answer.body, indent=2, ensure_ascii=False)}\n```\n"
        + (f"\nKeep what the next steps need:\n\n```sh\n{''.join(kept)}```\n" if kept else "")
    )


def _command(step: Step) -> str:
    """The request for a shell; what comes from elsewhere is a variable of the name that it has in the document."""
    path, method, parameters = _operation(step.operation)
    places = {parameter["name"]: parameter["in"] for parameter in parameters}
    values = {name: _VALUE.sub(lambda found: f"${found[1].upper()}", str(it)) for name, it in step.parameters.items()}
    query = "&".join(f"{name}={value}" for name, value in values.items() if places.get(name) == "query")
    address = re.sub(r"\{(\w+)\}", lambda found: values[found[1]], path) + (f"?{query}" if query else "")
    headers = {name: value for name, value in values.items() if places.get(name, "header") == "header"}
    verb = "" if method == "get" else f"-X {method.upper()} "
    parts = [f'curl -i {verb}"$SERVER{address}"', *(f'-H "{name}: {value}"' for name, value in headers.items())]
    if step.payload is not None:
        sent = _VALUE.sub(lambda found: f"'\"${found[1].upper()}\"'", json.dumps(step.payload))
        parts += ['-H "Content-Type: application/json"', f"-d '{sent}'"]
    return " \\\n  ".join(parts)


def _operation(operation_id: str) -> tuple[str, str, list[dict[str, Any]]]:
    whole = contract.document()
    for path, item in whole["paths"].items():
        for method in contract.METHODS:
            if item.get(method, {}).get("operationId") == operation_id:
                nodes = [*item.get("parameters", []), *item[method].get("parameters", [])]
                return whole["servers"][0]["url"] + path, method, [contract.lookup(whole, node) for node in nodes]
    raise LookupError(f"The contract has no operation {operation_id}.")


def _run(command: str, known: dict[str, str]) -> Told:
    shell = ["sh", "-c", command.replace("curl -i", "curl -si", 1)]
    done = subprocess.run(shell, env=os.environ | known, capture_output=True, check=True)
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    status, *fields = head.split("\r\n")
    parted = (field.partition(": ") for field in fields)
    return Told(status, {name.lower(): value for name, _, value in parted}, json.loads(body))


def _kept(step: Step, answer: Told, known: dict[str, str]) -> Iterator[str]:
    """The variables that this answer sets, unless they say already what it says."""
    for name, expression in step.outputs.items():
        value = _found(answer, expression)
        if known.get(name.upper()) != value:
            known[name.upper()] = value
            yield f"export {name.upper()}={_quoted(value)}\n"


def _found(answer: Told, expression: str) -> str:
    _, place = expression.split("$response.", 1)
    if place.startswith("header."):
        return answer.headers[place.removeprefix("header.").lower()]
    value = answer.body
    for part in place.removeprefix("body#/").split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return str(value)


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[\w-]+", value) else f"'{value}'"


def _steady(page: str) -> str:
    """The page with the same ids and moments at every run; those of the demo are so by themselves."""
    made = dict.fromkeys(re.findall(r"export COLLECTION_ID=(mcoll_[0-9a-f]{12})", page))
    for number, found in enumerate(made):
        page = page.replace(found, f"mcoll_{sha256(str(number).encode()).hexdigest()[:12]}")
    page = re.sub(
        r'"20[0-9-]{8}T[0-9:]{8}Z"', lambda found: found[0] if "-06-28T" in found[0] else f'"{_MOMENT}"', page
    )
    return re.sub(r"req_[0-9a-f]{16}", _REQUEST_ID, page)


if __name__ == "__main__":
    HOME.write_text(written(), encoding="utf-8")
