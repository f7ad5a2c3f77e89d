"""Code blocks as HTML: highlighted when the page is made, one by one or as tabs of which a reader chooses one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_FORMATTER = HtmlFormatter(nowrap=True)


class Block(NamedTuple):
    """A code block on a page: its language for syntax highlighters, its title and its text."""

    word: str
    title: str
    text: str

    @property
    def fence(self) -> str:
        """The fence: longer than any row of backticks in the text (CommonMark 0.31, section 4.5)."""
        return "`" * max(3, *(len(row) + 1 for row in re.findall("`+", self.text)), 3)


def single(block: Block) -> Markup:
    """A block with its title above it, if it has one."""
    caption = Markup("<figcaption>{}</figcaption>").format(block.title) if block.title else Markup()
    return Markup('<figure class="code">{}{}</figure>\n').format(caption, _panel(block))


def tabs(blocks: Sequence[Block], group: str, label: str) -> Markup:
    """Blocks of which one is shown: a radio button and a panel for each, so that no script is needed.

    `group` is unique on the page, `label` says what is chosen.
    """
    if len(blocks) == 1:
        return single(blocks[0])
    checked = Markup(" checked")
    each = (
        Markup('<input type="radio" name="{0}" id="{0}-{1}" value="{2}"{3}><label for="{0}-{1}">{2}</label>{4}').format(
            group, number, block.title or block.word, Markup() if number else checked, _panel(block)
        )
        for number, block in enumerate(blocks)
    )
    return Markup('<div class="code tabs" role="radiogroup" aria-label="{}">{}</div>\n').format(
        label, Markup().join(each)
    )


def _panel(block: Block) -> Markup:
    """The code; it can be focused, because it may have to be scrolled."""
    text = Markup(highlight(block.text, _lexer(block.word), _FORMATTER))  # noqa: S704 - Pygments escapes the text
    return Markup('<pre tabindex="0"><code class="language-{}">{}</code></pre>').format(escape(block.word), text)


@cache
def _lexer(word: str) -> Lexer:
    try:
        return get_lexer_by_name(word, stripnl=False, **{"startinline": True} if word == "php" else {})
    except ClassNotFound:
        return get_lexer_by_name("text", stripnl=False)
