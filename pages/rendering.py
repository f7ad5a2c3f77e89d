"""Renders the templates of pages. Jinja2 escapes every value; no page holds a script or asks for another file."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
MEDIA_TYPE = "text/html; charset=utf-8"
# A host and a port, and nothing that could begin another directive.
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")


def render(template: str, **values: Any) -> str:
    """The page of a template with these values. Raises jinja2.UndefinedError for a value that is missing."""
    return _environment().get_template(template).render(values)


def content_security_policy(*, image: str = "") -> str:
    """The policy of a page: its own style by its hash, players of this origin, and no script at all.

    `image` is the address of an image on another host, or empty.
    """
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{digest}'",
            "media-src 'self'",
            f"img-src data:{origin(image)}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def origin(url: str) -> str:
    """Scheme, host and port of a URL after a space, as a policy lists it; empty for what has no plain host."""
    parts = urlsplit(url)
    is_plain = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc)
    return f" {parts.scheme}://{parts.netloc}" if is_plain else ""


@cache
def _style() -> str:
    return (TEMPLATES / "page.css").read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    import jinja2  # for the first page: a server starts without it
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=True,
    )
    environment.globals["style"] = Markup(_style())  # noqa: S704 - a file of ours
    return environment
