"""Measures a hundred pieces and draws ten; fails when a figure misses its limit."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import Progress

from tools.endurance.report import show
from tools.music import pictures, survey
from tools.music.prompts import prompts


def main(words: list[str]) -> int:
    """The exit status: 0 when every figure is within its limit."""
    if {"-h", "--help"} & set(words):
        print("usage: python -m tools.music [pictures]\n\n  pictures  only draw docs/music")
        return 0
    pictures.draw()
    if "pictures" in words:
        return 0
    with Progress(console=Console(stderr=True)) as progress:
        pieces = [survey.measure(prompt) for prompt in progress.track(prompts(), description="Measuring pieces")]
    figures = list(survey.figures(pieces))
    show(figures, Console())
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
