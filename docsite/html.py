"""Markdown as a page for people: headings that can be linked to, and blocks of code that fold."""

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
    """The HTML of a text; HTML inside the text is shown, not obeyed."""
    return str(_parser().render(markdown))


def _fence(_self: Any, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    """A block under its title; of several in a row the first is open."""
    token = tokens[index]
    word, _, title = token.info.partition(" ")
    state = "" if index and tokens[index - 1].type == "fence" else " open"
    code = f'<pre><code class="language-{escape(word)}">{escape(token.content)}</code></pre>'
    return f"<details{state}><summary>{escape(title or word or 'text')}</summary>{code}</details>\n"


def _heading(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """An anchor of the heading's own words in lower case, as Markdown viewers make them."""
    words = re.sub(r"[^\w\- ]", "", tokens[index + 1].content.lower())
    tokens[index].attrSet("id", words.replace(" ", "-"))
    return str(self.renderToken(tokens, index, options, env))
