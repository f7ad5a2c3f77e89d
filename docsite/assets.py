"""Files of docsite/static/, served under names that have a digest of their content: `page.1a2b3c4d.css`."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from web.docs_pages import Page

HOME = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
NAMES = ("page.css", "page.js", "search.js", "try-it.js", "explorer.js", "focus.js", "not-found.js", "minisearch.js",
         "scalar.js", "overview.svg", "overview-narrow.svg")  # fmt: skip
_SERVED = re.compile(r"([a-z-]+)\.[0-9a-f]{8}(\.[a-z]+)")


def served_name(name: str) -> str:
    """The name under which a file is served. Reads the file at the first call: most are small, one has 4 MB."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(_content(name)).hexdigest()[:8]}{dot}{suffix}"


def asset(path: str) -> Page | None:
    """The file with a served name, or None. A file `NAME.br` beside it is its content, compressed."""
    found = _SERVED.fullmatch(path)
    name = "".join(found.groups()) if found else ""
    if name not in NAMES or path != served_name(name):
        return None
    packed = HOME / f"{name}.br"
    headers = {"Content-Type": MEDIA_TYPES[Path(name).suffix]}
    return Page(_content(name), headers, immutable=True, brotli=packed.read_bytes() if packed.exists() else None)


@cache
def _content(name: str) -> bytes:
    return (HOME / name).read_bytes()
