"""The compiled validators in Connexion's own slots (`validator_map`): its stack and the lane share one truth."""

from __future__ import annotations

from typing import Any

import orjson
from connexion.datastructures import MediaTypeDict
from connexion.validators.abstract import AbstractRequestBodyValidator, AbstractResponseBodyValidator
from connexion.validators.parameter import ParameterValidator

from web.context import current_request
from web.exceptions import InternalError


class Parameters(ParameterValidator):
    """Path, query and header parameters; what they break is raised with the body's violations, all at once."""

    def validate(self, scope: Any) -> None:
        context = current_request.get()
        context.operation.bind_parameters(context)
        if context.operation.body is None or not context.body:
            context.operation.bind_body(context)
            context.operation.raise_if_invalid(context)


class RequestBody(AbstractRequestBodyValidator):
    """The JSON body, read strictly."""

    async def wrap_receive(self, receive: Any, *, scope: Any) -> tuple[Any, Any]:
        context = current_request.get()
        context.operation.bind_body(context)
        context.operation.raise_if_invalid(context)
        return receive, scope


class ResponseBody(AbstractResponseBodyValidator):
    """The JSON body of an answer, by status; an undocumented status counts as a flaw."""

    def wrap_send(self, send: Any) -> Any:
        messages: list[dict[str, Any]] = []

        async def hold(message: dict[str, Any]) -> None:
            messages.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                _judge(messages)
                for held in messages:
                    await send(held)

        return hold


def _judge(messages: list[dict[str, Any]]) -> None:
    start, *parts = messages
    content = b"".join(part.get("body", b"") for part in parts)
    flaw = current_request.get().operation.response_error(start["status"], orjson.loads(content) if content else None)
    if flaw is not None:
        raise InternalError("The answer did not match the contract")


SLOTS = {
    "parameter": Parameters,
    "body": MediaTypeDict({"application/json": RequestBody}),
    "response": MediaTypeDict({"application/json": ResponseBody}),
}
