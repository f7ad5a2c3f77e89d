"""The templates of the pages: those of Markdown are text, those of HTML and XML escape their values."""

from __future__ import annotations

from pathlib import Path

import jinja2

from docsite import guides, literals
from docsite.navigation import title

TEMPLATES = Path(__file__).parent / "templates"


def environment() -> jinja2.Environment:
    """An environment with the templates of the pages and of the guides."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, guides.HOME]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(["html.jinja", "xml.jinja"], default=False),
    )
    found.filters |= {"json": literals.write, "title": title, "markdown": _markdown, "plain": _plain, "tabs": _tabs}
    return found


def _markdown(text: str) -> str:
    from docsite import html

    return html.render(text)


def _plain(text: str) -> str:
    from docsite import html

    return html.plain(text)


def _tabs(blocks: list[object], group: str, label: str) -> str:
    from docsite import code

    return code.tabs(blocks, group, label)  # type: ignore[arg-type]
