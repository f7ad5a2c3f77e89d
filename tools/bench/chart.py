"""Bar charts as SVG, without a library; they follow the light or dark color scheme of the viewer."""

from __future__ import annotations

from html import escape

WIDTH, ROW, BAR, LABELS, NUMBERS, TOP = 760, 30, 18, 210, 80, 48

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .ours text { font-weight: 600 }
  rect { fill: #8c959f }
  .ours rect { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    rect { fill: #6e7681 }
    .ours rect { fill: #4493f8 }
  }
"""


Rows = list[tuple[str, float, bool]]


def bars(title: str, rows: Rows) -> str:
    """A chart with one bar per row: label, value, and whether it is this service."""
    return stacked([(title, rows)])


def stacked(pictures: list[tuple[str, Rows]]) -> str:
    """Several charts below each other in one image."""
    parts, top = [], 0
    for title, rows in pictures:
        parts.append(f'<g transform="translate(0 {top})">\n{_picture(title, rows)}\n</g>')
        top += TOP + ROW * len(rows) + 10
    names = escape("; ".join(title for title, _ in pictures))
    description = escape("; ".join(f"{label} {value:,.0f}" for _, rows in pictures for label, value, _ in rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img" aria-label="{names}">\n'
        f"<title>{names}</title>\n<desc>{description}</desc>\n<style>{STYLE}</style>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _picture(title: str, rows: Rows) -> str:
    maximum = max((value for _, value, _ in rows), default=0) or 1.0
    parts = "\n".join(_bar(index, *row, maximum) for index, row in enumerate(rows))
    return f'<text class="title" x="0" y="22">{escape(title)}</text>\n{parts}'


def _bar(index: int, label: str, value: float, ours: bool, maximum: float) -> str:
    top = TOP + ROW * index
    length = max(2.0, value / maximum * (WIDTH - LABELS - NUMBERS))
    mark = ' class="ours"' if ours else ""
    return (
        f'<g{mark}><text x="{LABELS - 10}" y="{top + 14}" text-anchor="end">{escape(label)}</text>'
        f'<rect x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}" rx="3"/>'
        f'<text x="{LABELS + length + 8:.1f}" y="{top + 14}">{value:,.0f}</text></g>'
    )
