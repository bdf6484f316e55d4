"""Elements of drawings: text of SVG, scales, ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel.

    >>> number(12.04), number(-0.01)
    ('12', '0')
    """
    return f"{round(value, 1) + 0.0:g}"


def element(tag: str, content: str = "", **attributes: object) -> str:
    """`content` is markup; attributes are escaped, "_" in their names stands for "-".

    >>> element("rect", x=1.0, class_="bar", stroke_width=2)
    '<rect x="1" class="bar" stroke-width="2"/>'
    """
    words = []
    for name, value in attributes.items():
        text = number(value) if isinstance(value, float) else str(value)
        words.append(f' {name.rstrip("_").replace("_", "-")}="{escape(text)}"')
    return f"<{tag}{''.join(words)}>{content}</{tag}>" if content else f"<{tag}{''.join(words)}/>"


def text(x: float, y: float, words: str, *, anchor: str = "start", **attributes: object) -> str:
    return element("text", escape(words), x=float(x), y=float(y), text_anchor=anchor, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=kind)


def titled(shape: str, words: str) -> str:
    """`shape` with words that a pointer brings up."""
    return element("g", element("title", escape(words)) + shape)


def drawing(width: float, height: float, parts: Iterable[str], label: str) -> str:
    box = f"0 0 {number(width)} {number(height)}"
    return element("svg", "".join(parts), viewBox=box, role="img", aria_label=label)


@dataclass(frozen=True)
class Scale:
    """From values to coordinates, by their logarithms where `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(max(value, self.low * 1e-3))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 8) -> list[float]:
        """Round values between the ends.

        >>> Scale(0, 47, 0, 1).ticks(5), Scale(0.4, 6, 0, 1, log=True).ticks()
        ([0.0, 10.0, 20.0, 30.0, 40.0], [0.5, 1.0, 2.0, 5.0])
        """
        if self.log:
            exponents = range(math.floor(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            factors = (1, 2, 5) if self.high / self.low < 1e4 else (1,)
            return [t for e in exponents for f in factors if self.low <= (t := f * 10.0**e) <= self.high]
        if self.high <= self.low:
            return [self.low]
        rough = (self.high - self.low) / most
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= rough)
        first = math.ceil(self.low / step)
        return [i * step for i in range(first, math.floor(self.high / step) + 1)]
