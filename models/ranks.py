"""Ranks: sparse integers that order the tracks of a collection, so that moving one track writes one row.

Decision 25.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

GAP = 2**20


def arrange(ranks: Sequence[int], ceiling: int | None) -> dict[int, int]:
    """The new ranks by index that make `ranks` ascend below `ceiling`, with as few changes as possible.

    `ranks` are distinct and in the requested order. All other ranks of the collection are at least `ceiling`; None
    means that there are no others.
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
    """The indexes of the most ranks that can stay, with gaps large enough for those that cannot.

    Two ranks can both stay if they are at least as far apart as their indexes, that is if rank minus index does not
    decrease: a longest non-decreasing subsequence, in O(n log n) by patience sorting.
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
    """`count` ascending ranks strictly between `low` and `high`; None means unbounded."""
    if low is None:
        top = (count + 1) * GAP if high is None else high
        return [top - GAP * step for step in range(count, 0, -1)]
    if high is None:
        return [low + GAP * step for step in range(1, count + 1)]
    return [low + (high - low) * step // (count + 1) for step in range(1, count + 1)]
