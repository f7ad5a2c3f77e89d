"""Renders Markdown as HTML: headings with anchors, and foldable code blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("heading_open", _heading)
    return parser


def render(markdown: str) -> str:
    """The HTML of a Markdown text; HTML in the text is escaped."""
    return str(_parser().render(markdown))


def _fence(_self: Any, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    """A code block in <details>, with its title; the first of consecutive blocks is open."""
    token = tokens[index]
    language, _, title = token.info.partition(" ")
    state = "" if index and tokens[index - 1].type == "fence" else " open"
    code = f'<pre><code class="language-{escape(language)}">{escape(token.content)}</code></pre>'
    return f"<details{state}><summary>{escape(title or language or 'text')}</summary>{code}</details>\n"


def _heading(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A heading with an id made of its words in lower case, as Markdown viewers do."""
    words = re.sub(r"[^\w\- ]", "", tokens[index + 1].content.lower())
    tokens[index].attrSet("id", words.replace(" ", "-"))
    return str(self.renderToken(tokens, index, options, env))
