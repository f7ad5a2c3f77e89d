"""Ranks: the order that was asked for, with as few rows written as can be."""

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
    """By trying every choice of ranks that stay: those between two that stay need a whole number each."""
    return next(
        changes
        for changes in range(len(before) + 1)
        for kept in combinations(range(len(before)), len(before) - changes)
        if _leaves_room(before, kept, ceiling)
    )


def _leaves_room(before: list[int], kept: tuple[int, ...], ceiling: int | None) -> bool:
    fences = [(index, before[index]) for index in kept] + ([] if ceiling is None else [(len(before), ceiling)])
    return all(high - low >= right - left for (left, low), (right, high) in pairwise(fences))


@given(SPARSE, st.none() | st.integers(-(2**40), 2**40))
def test_ranks_ascend_in_the_order_asked_for_and_stay_below_the_rest(before: list[int], ceiling: int | None) -> None:
    assert is_in_order(after(before, ceiling), ceiling)


@given(DENSE, st.none() | st.integers(-12, 12))
def test_no_order_could_be_had_with_fewer_rows_written(before: list[int], ceiling: int | None) -> None:
    assert len(ranks.arrange(before, ceiling)) == fewest_changes(before, ceiling)


@given(SPARSE)
def test_what_stands_in_order_is_left_alone(before: list[int]) -> None:
    assert ranks.arrange(sorted(before), None) == {}
    assert ranks.arrange(sorted(before), max(before, default=0) + 1) == {}


@given(st.integers(2, 60), st.data())
def test_one_moved_track_is_one_row_written(count: int, data: st.DataObject) -> None:
    before = [ranks.GAP * place for place in range(1, count + 1)]
    moved = before.pop(data.draw(st.integers(0, count - 1)))
    before.insert(data.draw(st.integers(0, count - 1)), moved)
    assert len(ranks.arrange(before, None)) <= 1


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=300))
def test_no_number_of_moves_uses_up_the_room(moves: list[tuple[int, int]]) -> None:
    found = [ranks.GAP * place for place in range(1, 11)]
    for source, target in moves * 3:
        found.insert(target, found.pop(source))
        found = after(found, None)
        assert is_in_order(found, None)
        assert max(map(abs, found)) < 2**62


@given(st.integers(1, 400))
def test_a_track_always_moved_into_the_same_gap_costs_few_rows(times: int) -> None:
    found = [ranks.GAP, 2 * ranks.GAP, 3 * ranks.GAP]
    written = 0
    for _ in range(times):
        found.insert(1, found.pop())
        written += len(ranks.arrange(found, None))
        found = after(found, None)
    assert written <= 2 * times
