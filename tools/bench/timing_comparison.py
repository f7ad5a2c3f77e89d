"""The comparison of two classes of response times: Welch's t, and the AUC of Mann and Whitney."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MAX_T, MAX_AUC, CROP = 4.5, 0.02, 0.9
CLASSES = ("foreign", "absent", "absent again")


@dataclass(frozen=True)
class Comparison:
    """How two classes of times differ; the difference of the medians is in microseconds."""

    t: float
    auc: float
    microseconds: float
    within_goal: bool


def verdict(times: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """The figures of one request, in nanoseconds by class, without the slowest tenth of all."""
    every = sorted(t for some in times.values() for t in some)
    limit = every[int(len(every) * CROP)]
    foreign, absent, again = ([t for t in times[name] if t < limit] for name in CLASSES)
    result, control = compare(foreign, absent), compare(again, absent)
    found = "too noisy" if not control.within_goal else "equal" if result.within_goal else "different"
    return {"verdict": found, "median_us": statistics.median(absent) / 1000,
            "per_class": len(times[CLASSES[0]]), "result": asdict(result), "control": asdict(control)}  # fmt: skip


def compare(first: Sequence[int], second: Sequence[int]) -> Comparison:
    """Welch's t, AUC and difference of medians of two lists of nanoseconds."""
    spread = statistics.variance(first) / len(first) + statistics.variance(second) / len(second)
    t = (statistics.fmean(first) - statistics.fmean(second)) / spread**0.5
    auc = _auc(first, second)
    error = ((len(first) + len(second) + 1) / (12 * len(first) * len(second))) ** 0.5
    within_goal = abs(t) < MAX_T and abs(auc - 0.5) < max(MAX_AUC, MAX_T * error)
    return Comparison(t, auc, (statistics.median(first) - statistics.median(second)) / 1000, within_goal)


def _auc(first: Sequence[int], second: Sequence[int]) -> float:
    """The probability that a value of `first` exceeds one of `second`; ties count half (Mann and Whitney)."""
    counts = dict.fromkeys(sorted({*first, *second}), (0, 0))
    for value in first:
        counts[value] = (counts[value][0] + 1, counts[value][1])
    for value in second:
        counts[value] = (counts[value][0], counts[value][1] + 1)
    greater, below = 0.0, 0
    for here, there in counts.values():
        greater += here * (below + there / 2)
        below += there
    return greater / (len(first) * len(second))
