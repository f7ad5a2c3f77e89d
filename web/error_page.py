"""Error page: the error of an operation that documents a page for it, for a client that prefers HTML to the envelope.

An error that is found before the operation is known, such as a header section that is too large, is always an envelope.
"""

from __future__ import annotations

from pages.error_page import error_page
from pages.rendering import content_security_policy
from web.context import RequestContext
from web.contract.reading import HTML, JSON
from web.http.request_checks import prefers
from web.responses import Response


def as_preferred(context: RequestContext, response: Response) -> Response:
    """The error response, or the page in its place. The text of the page is the description of the response."""
    operation = context.operation
    documented = None if operation is None else operation.responses.get(response.status)
    if documented is None or HTML not in documented.media_types or not prefers(context, "text/html", JSON):
        return response
    # Only a fault of the service is to be found in its log: all other pages of an error are alike.
    page = error_page(documented.description, context.request_id if response.status >= 500 else None)
    headers = response.headers | {"content-type": HTML, "content-security-policy": content_security_policy()}
    return response._replace(headers=headers, body=page.encode(), data=page)
