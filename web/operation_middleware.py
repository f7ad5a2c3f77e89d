"""Middleware in Connexion's middleware list that executes the operations of the contract.

Connexion passes the specification and the resolver to `add_api`, and each operation is compiled once. A request is then
routed, authenticated, rate-limited, bound, dispatched and sent here. Requests for /docs, for the files at the root and
for the contract as YAML go on to Flask. Decision 1.
"""

from __future__ import annotations

from typing import Any

from connexion.middleware.abstract import SpecMiddleware
from connexion.operations.openapi import OpenAPIOperation
from connexion.resolver import Resolver
from connexion.spec import Specification

from models.db.context import current_lease
from models.exceptions import Failure, InvalidValue, NotFound
from web import binding, error_page
from web.asgi import App, Message, Receive, Scope, Send
from web.concurrency import ConcurrencyLimiter
from web.context import RequestContext, current_request
from web.contract import views
from web.contract.operations import Operation, ResponseCache
from web.contract.reading import AT_ROOT, DOCS, operations
from web.contract.schemas import ValidatorCache
from web.dispatch import Dispatcher
from web.docs_pages import FRONT, leads_to_docs
from web.error_envelope import ErrorCatalog
from web.exceptions import InternalError, Invalid, InvalidAddress, MalformedRequest, MethodNotAllowed
from web.http import request_body, request_checks, streaming
from web.http.cors import CORSPolicy
from web.ratelimit.limiter import RateLimiter
from web.response_headers import send_response
from web.responses import Response, from_messages
from web.router import Router, allow
from web.security.authentication import Authenticator
from web.security.lease import CallerChanged, CredentialLease

_BELOW_DOCS = f"{DOCS}/".encode()


# What an operation with x-invalid-request does not tell apart.
_INVALID = (Invalid, InvalidValue, MalformedRequest, NotFound)


class OperationMiddleware(SpecMiddleware):
    """Executes every operation; app.py builds its parts from the settings."""

    def __init__(
        self,
        app: App,
        *,
        document: dict[str, Any],
        dispatcher: Dispatcher,
        authenticator: Authenticator,
        limiter: RateLimiter,
        concurrency: ConcurrencyLimiter,
        cors: CORSPolicy,
        errors: ErrorCatalog,
        body_timeout_seconds: float,
        require_if_match: bool,
        public_path: str,
    ) -> None:
        self.app = app
        self.document = document
        self.dispatcher = dispatcher
        self.authenticator = authenticator
        self.limiter = limiter
        self.concurrency = concurrency
        self.cors = cors
        self.errors = errors
        self.body_timeout_seconds = body_timeout_seconds
        self.require_if_match = require_if_match
        self.public_path = public_path
        self.router = Router([])
        self.pages = {p.encode() for p in (DOCS, *AT_ROOT, views.yaml_path(document))}
        has_front = any(node.path == FRONT for node in operations(document))
        self.front = None if has_front else FRONT.encode()

    def add_api(self, specification: Specification, resolver: Resolver | None = None, **_: Any) -> None:
        """Called by Connexion before the first request. Raises Connexion's error when a handler is not found."""
        validators = ValidatorCache(self.document)
        responses = ResponseCache(validators, self.public_path)
        compiled = []
        for node in operations(self.document):
            resolved = OpenAPIOperation.from_spec(
                specification, path=node.template, method=node.method.lower(), resolver=resolver
            )
            compiled.append(
                Operation(
                    node, validators, resolved.function, public_path=self.public_path,
                    require_if_match=self.require_if_match, responses=responses,
                )
            )  # fmt: skip
        self.router = Router(compiled)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = current_request.get()
        try:
            response = await streaming.start(await self._respond(context, receive), context.method)
        except request_body.ClientDisconnected:
            raise
        except Exception as failure:  # noqa: BLE001 - to_response logs every exception that is no Failure
            error = self.errors.to_response(_as_shown(context, failure), context.request_id)
            response = self._checked_error(context, error_page.as_preferred(context, error))
        await send_response(context, response, send)
        if response.pieces is not None and context.method != "HEAD":
            with self.dispatcher.database.use():
                await streaming.send_pieces(response.pieces, context.scope, receive, send)

    async def _respond(self, context: RequestContext, receive: Receive) -> Response:
        path = context.path
        # Written out, because every request comes through here.
        if path in self.pages or path.startswith(_BELOW_DOCS) or (path == self.front and leads_to_docs(context)):
            return await self._pages(context, receive)
        if context.method == "OPTIONS":
            return self._options(context)
        operation, context.path_values = self.router.find(context.method, context.path)
        context.operation = operation
        await self._admit(operation, context)
        request_checks.negotiate(operation, context)
        if b"content-length" in context.headers or b"transfer-encoding" in context.headers:
            await self._read_body(operation, context, receive)
        binding.bind(operation, context)
        if operation.public:
            return await self.dispatcher.dispatch(operation, context)
        concurrency = self.concurrency
        if concurrency.in_flight >= concurrency.max_in_flight:
            raise concurrency.overloaded()
        concurrency.in_flight += 1
        try:
            if operation.writes:
                return await self._dispatch_write(operation, context)
            return await self.dispatcher.dispatch(operation, context)
        finally:
            concurrency.in_flight -= 1

    async def _read_body(self, operation: Operation, context: RequestContext, receive: Receive) -> None:
        """Reads the body of an operation that has one.

        A caller whose lease expired meanwhile is authenticated again, which counts against no quota.
        """
        request_body.check_size(context)
        if operation.body is None:
            return
        caller = context.caller
        with self.concurrency.receiving_body("" if caller is None else caller.key_id or caller.user_id):
            context.body = await request_body.read(context, receive, self.body_timeout_seconds)
        if caller is not None and self.authenticator.is_expired(caller):
            context.caller = await self.authenticator.authenticate(operation, context)

    async def _dispatch_write(self, operation: Operation, context: RequestContext) -> Response:
        """The response of an operation that writes; if its caller changes before it commits, it runs as the new one."""
        current_lease.set(CredentialLease(self.authenticator, operation, context))
        while True:
            try:
                return await self.dispatcher.dispatch(operation, context)
            except CallerChanged:
                continue

    async def _admit(self, operation: Operation, context: RequestContext) -> None:
        """Authenticates the request unless the operation is public, and counts it against its quotas."""
        if not operation.public:
            await self._authenticate(operation, context)
        if operation.token_quota:
            self.limiter.check_token(operation, context)

    async def _authenticate(self, operation: Operation, context: RequestContext) -> None:
        """Authenticates the request, then counts it against the quota of its credential."""
        if self.concurrency.in_flight >= self.concurrency.max_in_flight:
            raise self.concurrency.overloaded()
        try:
            caller = context.caller = await self.authenticator.authenticate(operation, context)
        except Failure as failure:
            if self.errors.status(failure) == 401:
                await self.limiter.count_auth_failure(context)
            raise
        counted = None if caller is None else self.limiter.check_credential(operation, context, caller)
        if counted is not None:
            await counted

    def _options(self, context: RequestContext) -> Response:
        methods = allow(self.router.methods(context.path)[0])
        return Response(204, {"allow": methods} | self.cors.preflight(context.headers, methods), b"")

    async def _pages(self, context: RequestContext, receive: Receive) -> Response:
        """Flask's response."""
        if context.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("Pages are read only", {"allow": "GET, HEAD"})
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self.app({**context.scope, "method": "GET"}, receive, collect)
        return from_messages(messages)

    def _checked_error(self, context: RequestContext, response: Response) -> Response:
        """The error response, or a 500 if the operation does not document it and `enforce` is set."""
        if context.operation is None:
            return response
        try:
            return self.dispatcher.checked(context.operation, context, response)
        except InternalError as error:
            return self.errors.to_response(error, context.request_id)


def _as_shown(context: RequestContext, failure: Exception) -> Exception:
    """The failure, or the one error that the operation has for every invalid request."""
    operation = context.operation
    if operation is None or operation.invalid_request is None or not isinstance(failure, _INVALID):
        return failure
    return InvalidAddress(operation.invalid_request)
