"""Sharing: what requests with the token of a share link have in common, and the addresses that contain one."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from models import shares
from models.exceptions import NotFound
from models.share_tokens import ShareTokens, is_well_formed, new_token
from models.shares import Shared
from web.context import RequestContext, current_request, request_origin
from web.resolve_counter import ResolveCounter

RESOLVE_OPERATION = "resolve_share"
PAGE = "/shared/{token}"


class Sharing(NamedTuple):
    """The tokens of an installation, the count of their resolves, and the path of that operation, with `{token}`.

    `public_url` is empty where the address is that of the request.
    """

    tokens: ShareTokens
    resolves: ResolveCounter
    path: str
    public_url: str = ""

    def url(self, context: RequestContext, token: str) -> str:
        """The address that the owner of a link passes on."""
        return (self.public_url or request_origin(context)) + self.path.format(token=token)

    def public_path(self, path: str) -> str:
        """A path of the service, with the one before it that a proxy takes away."""
        return urlsplit(self.public_url).path + path

    def record(self, context: RequestContext) -> None:
        """Counts the resolve of a request that has been answered."""
        if context.resolved is not None and context.status == 200 and context.method == "GET":
            self.resolves.count(context.resolved)


def create_token() -> tuple[str, bytes]:
    """A new token and its digest. The token is in the response, and nowhere else."""
    token = new_token()
    return token, digest(token)


def digest(token: str) -> bytes:
    """The digest of the token of this request; of a text that is no token, a digest that no link has."""
    return _of(current_request.get()).tokens.digest(token)


def resolve(token: str, *, counts: bool = True) -> Shared:
    """What the link of this token opens. Counted as one resolve, unless `counts` is false, if the status is 200.

    Raises NotFound, the same one for a token that is malformed, unknown, revoked or expired.
    """
    shared = shares.resolve(digest(token))
    if counts:
        current_request.get().resolved = (shared.link.organization_id, shared.link.id)
    return shared


def url(token: str) -> str:
    """The address at which the link with this token is resolved."""
    context = current_request.get()
    return _of(context).url(context, token)


def page_path(token: str) -> str:
    """The path of the page for people. Raises NotFound for what is no token, of which no page tells more."""
    if not is_well_formed(token):
        raise NotFound(shares.NO_LINK)
    return public_path(PAGE.format(token=token))


def public_path(path: str) -> str:
    """A path of the service as a client behind a proxy needs it."""
    return _of(current_request.get()).public_path(path)


def _of(context: RequestContext) -> Sharing:
    if not isinstance(context.sharing, Sharing):
        raise RuntimeError("This application has no operation that resolves share links")
    return context.sharing
