"""Renders Markdown as HTML: headings with anchors and links to them, and highlighted code blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import cycle, pairwise
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from docsite import code
from docsite.code import Block

LANGUAGE = "Language"
_FENCE = re.compile(r"^(`{3,}).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_STATUS = re.compile(r"[1-5][0-9]{2} ")


class Section(NamedTuple):
    """A heading of the second level: its anchor and its text."""

    anchor: str
    title: str


class Article(NamedTuple):
    """A rendered Markdown text with its sections."""

    html: Markup
    sections: list[Section]


def article(markdown: str) -> Article:
    """The HTML of a Markdown text and its sections; HTML in the text is escaped."""
    env: dict[str, Any] = {"anchors": {}, "sections": []}
    rendered = Markup(_parser().render(markdown, env))  # noqa: S704 - the parser escapes HTML
    return Article(rendered, env["sections"])


def render(markdown: str) -> Markup:
    """The HTML of a Markdown text."""
    return article(markdown).html


def plain(markdown: str) -> str:
    """The text of the first paragraph, without marks: for descriptions and for the search."""
    text = _FENCE.sub("", markdown)
    paragraphs = (part.strip() for part in text.split("\n\n"))
    found = next((part for part in paragraphs if part and not part.startswith(("#", "|", "!"))), "")
    return " ".join(_LINK.sub(r"\1", found).replace("`", "").replace("**", "").removeprefix("- ").split())


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    for name, rule in (("fence", _fence), ("heading_open", _heading), ("heading_close", _heading_end),
                       ("table_open", _table), ("table_close", _table_end)):  # fmt: skip
        parser.add_render_rule(name, rule)
    return parser


def _fence(_self: Any, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    """A code block; consecutive ones in several languages are tabs, which the first one renders."""
    if not _is_sample(tokens[index]):
        return str(code.single(_block(tokens[index])))
    if index and _is_sample(tokens[index - 1]):
        return ""
    last = next((i for i in range(index, len(tokens)) if not _is_sample(tokens[i])), len(tokens))
    return str(code.tabs([_block(token) for token in tokens[index:last]], f"code-{index}", LANGUAGE))


def _block(token: Token) -> Block:
    word, _, title = token.info.partition(" ")
    return Block(word, title, token.content)


def _is_sample(token: Token) -> bool:
    """Whether it has the name of a language as its title; the title of a response is its status."""
    title = token.info.partition(" ")[2]
    return token.type == "fence" and bool(title) and not _STATUS.match(title)


def _heading(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A heading with an id made of its words in lower case, as Markdown viewers do; a repeated one gets a number."""
    text = tokens[index + 1].content
    words = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
    count = env["anchors"][words] = env["anchors"].get(words, -1) + 1
    anchor = f"{words}-{count}" if count else words
    tokens[index].attrSet("id", anchor)
    if tokens[index].tag == "h2":
        env["sections"].append(Section(anchor, text.replace("`", "")))
    return str(self.renderToken(tokens, index, options, env))


def _heading_end(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """The end of a heading, with a link to it; its anchor has no character that HTML escapes."""
    opened, closing = tokens[index - 2], str(self.renderToken(tokens, index, options, env))
    link = f'<a class="anchor" href="#{opened.attrGet("id")}" aria-label="Link to this section"></a>'
    return closing if opened.tag == "h1" else link + closing


def _table(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A table in a box that can be scrolled, and so can be focused."""
    end = next(at for at in range(index, len(tokens)) if tokens[at].type == "table_close")
    _label_cells(tokens[index:end])
    return '<div class="table" tabindex="0">' + str(self.renderToken(tokens, index, options, env))


def _label_cells(tokens: Sequence[Token]) -> None:
    """Gives each cell the head of its column: on a phone, where a row is a list, it stands above the cell."""
    heads = [after.content for token, after in pairwise(tokens) if token.type == "th_open"]
    cells = [token for token in tokens if token.type == "td_open"]
    for token, head in zip(cells, cycle(heads), strict=False):
        token.attrSet("data-head", head.replace("`", ""))


def _table_end(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return str(self.renderToken(tokens, index, options, env)) + "</div>"
