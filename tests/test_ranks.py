"""Ranks: the requested order with the fewest changed rows."""

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from models import ranks

DENSE = st.lists(st.integers(-12, 12), unique=True, max_size=8)
SPARSE = st.lists(st.integers(-(2**40), 2**40), unique=True, max_size=40)


def after(before: list[int], ceiling: int | None) -> list[int]:
    changed = ranks.arrange(before, ceiling)
    return [changed.get(index, rank) for index, rank in enumerate(before)]


def is_in_order(found: list[int], ceiling: int | None) -> bool:
    return all(a < b for a, b in pairwise([*found, *([] if ceiling is None else [ceiling])]))


def fewest_changes(before: list[int], ceiling: int | None) -> int:
    """Minimum number of changes, by brute force over the ranks that stay."""
    return next(
        changes
        for changes in range(len(before) + 1)
        for kept in combinations(range(len(before)), len(before) - changes)
        if _fits(before, kept, ceiling)
    )


def _fits(before: list[int], kept: tuple[int, ...], ceiling: int | None) -> bool:
    bounds = [(index, before[index]) for index in kept] + ([] if ceiling is None else [(len(before), ceiling)])
    return all(high - low >= right - left for (left, low), (right, high) in pairwise(bounds))


@given(SPARSE, st.none() | st.integers(-(2**40), 2**40))
def test_ranks_ascend_and_stay_below_the_ceiling(before: list[int], ceiling: int | None) -> None:
    assert is_in_order(after(before, ceiling), ceiling)


@given(DENSE, st.none() | st.integers(-12, 12))
def test_number_of_changed_ranks_is_minimal(before: list[int], ceiling: int | None) -> None:
    assert len(ranks.arrange(before, ceiling)) == fewest_changes(before, ceiling)


@given(SPARSE)
def test_ordered_ranks_are_unchanged(before: list[int]) -> None:
    assert ranks.arrange(sorted(before), None) == {}
    assert ranks.arrange(sorted(before), max(before, default=0) + 1) == {}


@given(st.integers(2, 60), st.data())
def test_moving_one_track_changes_one_rank(count: int, data: st.DataObject) -> None:
    before = [ranks.GAP * place for place in range(1, count + 1)]
    moved = before.pop(data.draw(st.integers(0, count - 1)))
    before.insert(data.draw(st.integers(0, count - 1)), moved)
    assert len(ranks.arrange(before, None)) <= 1


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=300))
def test_ranks_stay_within_64_bits_after_many_moves(moves: list[tuple[int, int]]) -> None:
    found = [ranks.GAP * place for place in range(1, 11)]
    for source, target in moves * 3:
        found.insert(target, found.pop(source))
        found = after(found, None)
        assert is_in_order(found, None)
        assert max(map(abs, found)) < 2**62


@given(st.integers(1, 400))
def test_moves_into_the_same_gap_change_at_most_two_ranks_each(times: int) -> None:
    found = [ranks.GAP, 2 * ranks.GAP, 3 * ranks.GAP]
    written = 0
    for _ in range(times):
        found.insert(1, found.pop())
        written += len(ranks.arrange(found, None))
        found = after(found, None)
    assert written <= 2 * times
