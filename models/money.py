"""Amounts of money: whole hundredths of a Swiss franc in the database, decimal numbers with two places outside."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

MOST_CENTS = 100_000_000
"""The largest price of a minute, and the largest spending limit."""
_CENT = Decimal("0.01")


def as_decimal(cents: int) -> str:
    """An amount as text with two places, such as 0.25."""
    return f"{cents // 100}.{cents % 100:02d}"


def from_text(text: str) -> int:
    """The hundredths of an amount such as 10 or 0.25. Raises ValueError unless it is from 0 to 1,000,000.00."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text} is no amount: write francs such as 10 or 0.25.") from None
    if not amount.is_finite() or amount != amount.quantize(_CENT) or not 0 <= amount * 100 <= MOST_CENTS:
        raise ValueError(f"{text} is no amount: write 0 to 1000000 with at most two decimal places.")
    return int(amount * 100)


def cost(seconds: int, cents_per_minute: int) -> int:
    """The hundredths that a piece costs, rounded half up."""
    exact = Decimal(seconds * cents_per_minute) / 60
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))
