"""Cache of formatted numbers: looking up the text of a number takes less time than formatting it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", str, bytes)
MAX_CACHED = 4096


class FormattedNumbers(dict[float, T]):
    """Texts by number, formatted by `format_number` at the first look-up; holds at most 4,096."""

    def __init__(self, format_number: Callable[[float], T]) -> None:
        super().__init__()
        self._format: Callable[[float], T] = format_number

    def __missing__(self, number: float) -> T:
        if len(self) >= MAX_CACHED:
            self.clear()
        text: T = self._format(number)
        self[number] = text
        return text


INTEGERS: FormattedNumbers[str] = FormattedNumbers(str)
# The numbers 0 to 999 with three digits.
THOUSANDTHS = [f"{number:03d}" for number in range(1000)]
