"""Measures a hundred pieces and two hundred joins, and draws ten pieces; fails when a figure misses its limit."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import Progress

from studio.engines.computed import ENGINES
from tools.endurance.report import Figure, show
from tools.music import joins, pictures, survey
from tools.music.prompts import prompts


def main(words: list[str]) -> int:
    """The exit status: 0 when every figure is within its limit."""
    if {"-h", "--help"} & set(words):
        print("usage: python -m tools.music [pictures|pieces|joins]\n\nOnly draws docs/music, or measures one kind.")
        return 0
    chosen = set(words) or {"pictures", "pieces", "joins"}
    if "pictures" in chosen:
        pictures.draw()
    figures: list[Figure] = []
    with Progress(console=Console(stderr=True)) as progress:
        if "pieces" in chosen:
            pieces = [survey.measure(prompt) for prompt in progress.track(prompts(), description="Measuring pieces")]
            figures += survey.figures(pieces)
        if "joins" in chosen:
            for engine in progress.track(ENGINES, description="Measuring joins"):
                figures += joins.figures(engine)
    show(figures, Console())
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
