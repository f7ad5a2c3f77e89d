"""The lease of a request: its credential is checked again, in the transaction, before a write that comes late.

Decision 35.
"""

from __future__ import annotations

from web.context import RequestContext
from web.contract.operations import Operation
from web.security.authentication import Authenticator


class CallerChanged(Exception):
    """The caller of a write has lost or gained organizations or scopes since the request began: run it again."""


class CredentialLease:
    """The right of one request to write: its credential is checked again, in the transaction, if that takes long."""

    def __init__(self, authenticator: Authenticator, operation: Operation, context: RequestContext) -> None:
        self._authenticator, self._operation, self._context = authenticator, operation, context

    def is_expired(self) -> bool:
        """Whether the credential must be checked again before a write takes effect."""
        caller = self._context.caller
        return caller is not None and self._authenticator.is_expired(caller)

    def renew(self) -> None:
        """Raises what `authenticate` raises, and CallerChanged if the request must be run again as another caller."""
        before, context = self._context.caller, self._context
        if before is None:  # security is optional, and no credential was sent
            return
        context.caller = self._authenticator.authenticate_again(self._operation, context)
        if context.caller != before:
            raise CallerChanged
