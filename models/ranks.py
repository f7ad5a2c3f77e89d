"""Where the tracks of a collection stand: sparse numbers, so that moving one track writes one row."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

GAP = 2**20


def arrange(ranks: Sequence[int], ceiling: int | None) -> dict[int, int]:
    """The new ranks, by index, that make `ranks` ascend below `ceiling` with as few of them changed as can be.

    `ranks` are distinct and stand in the order that is wished; every rank that stays out of it is `ceiling` or above,
    and None means that there is no such rank.
    """
    kept = _longest_run(ranks, ceiling)
    fences = [-1, *kept, len(ranks)]
    changed: dict[int, int] = {}
    for left, right in pairwise(fences):
        low = ranks[left] if left >= 0 else None
        high = ranks[right] if right < len(ranks) else ceiling
        changed.update(zip(range(left + 1, right), _between(low, high, right - left - 1), strict=True))
    return changed


def _longest_run(ranks: Sequence[int], ceiling: int | None) -> list[int]:
    """The indexes of the longest choice of ranks that can all stay, with room between them for those that cannot.

    Two ranks can both stay when they are as far apart as their indexes, that is when rank minus index does not fall:
    a longest non-descending subsequence, found in n log n (patience sorting).
    """
    slacks = [rank - index for index, rank in enumerate(ranks)]
    limit = None if ceiling is None else ceiling - len(ranks)
    tails: list[int] = []
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for index, slack in enumerate(slacks):
        if limit is not None and slack > limit:
            continue
        length = bisect_right(tails, slack)
        before[index] = ends[length - 1] if length else None
        tails[length : length + 1] = [slack]
        ends[length : length + 1] = [index]
    return _walk_back(ends[-1] if ends else None, before)


def _walk_back(index: int | None, before: dict[int, int | None]) -> list[int]:
    run: list[int] = []
    while index is not None:
        run.append(index)
        index = before[index]
    return run[::-1]


def _between(low: int | None, high: int | None, count: int) -> list[int]:
    """So many ascending ranks strictly between two others; there is no end below, and none above without a ceiling."""
    if low is None:
        top = (count + 1) * GAP if high is None else high
        return [top - GAP * step for step in range(count, 0, -1)]
    if high is None:
        return [low + GAP * step for step in range(1, count + 1)]
    return [low + (high - low) * step // (count + 1) for step in range(1, count + 1)]
