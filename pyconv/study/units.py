"""Figures in words."""

from __future__ import annotations

_PREFIXES = {-3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T"}


def quantity(value: float, unit: str = "") -> str:
    """Three digits and a prefix.

    >>> quantity(462422016), quantity(1152), quantity(3.1e-3, "s"), quantity(999.9, "B")
    ('462 M', '1.15 k', '3.10 ms', '1.00 kB')
    """
    if value == 0:
        return f"0 {unit}".strip()
    exponent, scaled = 0, abs(value)
    while float(f"{scaled:.3g}") >= 1000 and exponent < 4:
        scaled, exponent = scaled / 1000, exponent + 1
    while float(f"{scaled:.3g}") < 1 and exponent > -3:
        scaled, exponent = scaled * 1000, exponent - 1
    whole = exponent == 0 and float(value).is_integer()
    digits = f"{scaled:.0f}" if whole else f"{scaled:#.3g}".rstrip(".")
    return f"{'-' if value < 0 else ''}{digits} {_PREFIXES[exponent]}{unit}".strip()


def times(ratio: float) -> str:
    """A ratio with two digits that mean something.

    >>> times(8.437), times(115.2), times(0.81234)
    ('8.4x', '115x', '0.81x')
    """
    return f"{ratio:.0f}x" if ratio >= 99.5 else f"{ratio:.1f}x" if ratio >= 0.995 else f"{ratio:.2f}x"


def percent(share: float) -> str:
    return f"{share * 100:.0f} %"
