"""The command that calls one operation of a server: call."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

import settings
from cli.options import AsJson
from ops import output
from ops.errors import CommandError

if TYPE_CHECKING:
    import httpx

    from web.contract.reading import OperationObject

group = typer.Typer()
TIMEOUT_SECONDS = 60


def _complete(incomplete: str) -> list[str]:
    return sorted(name for name in _operations() if name.startswith(incomplete))


OperationId = Annotated[
    str,
    typer.Argument(
        metavar="OPERATION", help="Operation of the contract, such as get_collection.", autocompletion=_complete
    ),
]
Values = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE", help="Parameters, and fields of the body. A value that is JSON counts as JSON."
    ),
]
Key = Annotated[
    str | None,
    typer.Option("--api-key", metavar="KEY", envvar="MUSIC_STUDIO_API_KEY", help="API key.", show_envvar=True),
]


@group.command()
def call(
    operation_id: OperationId,
    values: Values = None,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="Address of the server. Default: the server on this machine.")
    ] = None,
    api_key: Key = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="New file for the content of the response.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Call an operation of the API and print its response.

    With --json, status and headers are printed too. The exit status is 1 if the response is an error.
    """
    found = _operations().get(operation_id)
    if found is None:
        raise CommandError(
            f"There is no operation {operation_id}: the contract has {', '.join(sorted(_operations()))}."
        )
    response = _send(found, _parsed(values or []), server or _local(), api_key)
    if output_file is not None:
        with output_file.open("xb") as file:
            file.write(response.content)
    _show(response, output_file, as_json=as_json)
    if response.status_code >= 400:
        raise CommandError(f"The server answered {response.status_code}{_code(response)}.")


def _operations() -> "dict[str, OperationObject]":
    from web.contract import document
    from web.contract.reading import operations

    return {operation.id: operation for operation in operations(document.document())}


def _local() -> str:
    from ops import healthcheck

    chosen = settings.load()
    return healthcheck.url(chosen.host, chosen.port)


def _parsed(words: list[str]) -> dict[str, str]:
    wrong = [word for word in words if "=" not in word]
    if wrong:
        raise CommandError(f"{wrong[0]} is no NAME=VALUE.")
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _send(operation: "OperationObject", values: dict[str, str], server: str, api_key: str | None) -> "httpx.Response":
    """The response to a request with these values by name. Raises CommandError."""
    import httpx

    missing = [name for name in operation.path_names if name not in values]
    if missing:
        raise CommandError(f"{operation.id} needs {', '.join(missing)}.")
    path = operation.path.format(**{name: quote(values[name], safe="") for name in operation.path_names})
    places = {place: operation.parameter_names(place) for place in ("path", "query", "header")}
    query, headers = ({name: values[name] for name in places[place] if name in values} for place in ("query", "header"))
    known = {name for names in places.values() for name in names}
    fields = {name: _value(text) for name, text in values.items() if name not in known}
    if fields and not operation.request_body:
        raise CommandError(f"{operation.id} has no {', '.join(fields)}: it has {', '.join(sorted(known))}.")
    if api_key and not operation.is_public:
        headers["X-API-Key"] = api_key
    body: Any = {"json": fields} if fields or operation.request_body.get("required") else {}
    try:
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            return client.request(operation.method, f"{server}{path}", params=query, headers=headers, **body)
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        raise CommandError(
            f"The server at {server} does not answer: {str(failure) or type(failure).__name__}."
        ) from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _show(response: "httpx.Response", file: Path | None, *, as_json: bool) -> None:
    is_json = response.headers.get("content-type", "").partition(";")[0] == "application/json"
    body = response.json() if is_json and file is None else None
    if as_json:
        headers = dict(response.headers)
        output.show_json({"status": response.status_code, "headers": headers, "body": body})
    elif is_json and file is None:
        output.show_json(body)
    elif response.content and file is None:
        raise CommandError("The response is no JSON: give --output FILE.")


def _code(response: "httpx.Response") -> str:
    """The error code and its message after the status, or nothing for an error of another server."""
    try:
        error = response.json()["error"]
        return f" {error['code']}: {error['system_message']}"
    except (ValueError, KeyError, TypeError):
        return ""
