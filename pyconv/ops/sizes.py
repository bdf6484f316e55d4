"""How large the output of a window that slides over an input is, and why."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from itertools import islice

LISTED = 8  # alternatives named in an explanation, at most
MOST_TRIED = 10**6  # divisors


class OutputSize(int):
    """An output size: an int, with the reasoning as text.

    ``str`` gives the explanation; everything else is an int's.

    >>> import pyconv
    >>> size = pyconv.conv_output_size(9, 3, stride=4)
    >>> print(size.explanation.split(". ")[1])
    Rounded down it gives 2 and ignores the last 2 pixels
    """

    fits: bool
    """Whether the stride divides what is left after the first window."""
    ignored: int
    """Input pixels at the end (padding included) that no window sees; 0 where ``fits``."""
    explanation: str
    """The formula and, where the window does not fit, what would."""

    def __new__(cls, size: int, fits: bool, ignored: int, explanation: str) -> OutputSize:
        self = super().__new__(cls, size)
        self.fits, self.ignored, self.explanation = fits, ignored, explanation
        return self

    def __str__(self) -> str:
        return self.explanation

    def __repr__(self) -> str:
        return int.__repr__(self)

    def __getnewargs__(self) -> tuple[int, bool, int, str]:  # type: ignore[override]
        return int(self), self.fits, self.ignored, self.explanation


def conv_output_size(
    size: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int | Sequence[int] = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> OutputSize:
    """How many outputs a convolution or pooling has along one axis, with the reasoning.

    Where the stride does not divide evenly, convolution rounds down and ignores the last pixels;
    the explanation then says how many, and which strides and paddings would fit.

    Args:
        size: pixels of the input along the axis.
        kernel_size: taps of the window along the axis.
        stride: pixels from one window to the next.
        padding: pixels on each side, or ``(before, after)``.
        dilation: distance between the taps of a window.
        ceil_mode: round up, as pooling may; a last window that would start beyond the input and
            the padding before it is left out.

    Returns:
        An `OutputSize`: an int whose ``str`` is the explanation.

    Raises:
        TypeError: a size is not an int.
        ValueError: a size out of range, or a window larger than the padded input.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning",
    arXiv:1603.07285, section 2.

    >>> import pyconv
    >>> print(pyconv.conv_output_size(32, 5))
    (32 + 2*0 - 5)/1 + 1 = 28
    >>> pyconv.conv_output_size(7, 3, stride=2) + 1
    4
    >>> size = pyconv.conv_output_size(7, 3, stride=3)
    >>> int(size), size.fits, size.ignored
    (2, False, 1)
    """
    size, kernel_size = _size("size", size, 0), _size("kernel_size", kernel_size, 1)
    stride, dilation = _size("stride", stride, 1), _size("dilation", dilation, 1)
    before, after = _sides(padding)
    extent = dilation * (kernel_size - 1) + 1
    room = size + before + after - extent
    if room < 0:
        raise ValueError(_too_large(size, kernel_size, dilation, extent, before, after))
    formula = f"({_terms(size, kernel_size, dilation, before, after)})/{stride} + 1"
    count, rest = room // stride + 1, room % stride
    if rest == 0 and not (ceil_mode and (count - 1) * stride >= size + before):
        return OutputSize(count, True, 0, f"{formula} = {count}")
    if rest:
        text = f"{formula} = {room / stride + 1:.2f} is not whole: a window of {extent} does not fit {size}"
        text += f"{_padded(before, after)} with stride {stride}. "
    else:
        text = f"{formula} = {count}. "
    if ceil_mode and rest:
        count += 1
    past = ceil_mode and (count - 1) * stride >= size + before
    count -= past
    ignored = max(0, room - (count - 1) * stride)
    if past:
        text += f"The last window would start past the input and is left out: {count}. "
    elif ceil_mode:
        text += f"Rounded up it gives {count}, the last window reaching {stride - rest} past the end. "
    else:
        text += f"Rounded down it gives {count} and ignores the last {_pixels(ignored)}. "
    return OutputSize(count, not rest and not past, ignored, text + _what_fits(size, extent, stride, room))


def _size(name: str, value: int, least: int) -> int:
    if isinstance(value, bool):
        raise TypeError(f"{name}: expected an int, got bool")
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an int, got {type(value).__name__}") from None
    if value < least:
        raise ValueError(f"{name}: expected {least} or more, got {value}")
    return value


def _sides(padding: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(padding, (tuple, list)):
        if len(padding) != 2:
            raise ValueError(f"padding: expected an int or (before, after), got {len(padding)} values")
        return _size("padding", padding[0], 0), _size("padding", padding[1], 0)
    side = _size("padding", padding, 0)  # type: ignore[arg-type]
    return side, side


def _terms(size: int, kernel_size: int, dilation: int, before: int, after: int) -> str:
    padding = f"2*{before}" if before == after else f"{before} + {after}"
    window = f"{kernel_size}" if dilation == 1 else f"({dilation}*({kernel_size} - 1) + 1)"
    return f"{size} + {padding} - {window}"


def _padded(before: int, after: int) -> str:
    if before == after:
        return f" with padding {before}" if before else ""
    return f" with padding {before} before and {after} after"


def _pixels(count: int) -> str:
    return "pixel" if count == 1 else f"{count} pixels"


def _too_large(size: int, kernel_size: int, dilation: int, extent: int, before: int, after: int) -> str:
    dilated = f" (kernel {kernel_size}, dilation {dilation})" if dilation > 1 else ""
    return (
        f"kernel_size: a window of {extent}{dilated} does not fit an input of {size}"
        f"{_padded(before, after)}: it needs {extent - size} more, that is an input of {extent - before - after} "
        f"or padding {-(-(extent - size) // 2)} on each side"
    )


def _what_fits(size: int, extent: int, stride: int, room: int) -> str:
    text = f"Strides that fit: {_listed([str(s) for s in _first_divisors(room)])}."
    paddings = _first_paddings(size, extent, stride)
    if paddings:
        named = [f"{p} ({(size + 2 * p - extent) // stride + 1} outputs)" for p in paddings]
        return text + f" Paddings that fit stride {stride}: {_listed(named)}."
    more = stride - room % stride
    return text + f" No equal padding fits stride {stride}; {more} more on one side alone would."


def _first_divisors(n: int) -> list[int]:
    """One more of them than is listed, from the least on; none above MOST_TRIED where n passes its square."""
    root = math.isqrt(n)
    found = list(islice((d for d in range(1, min(root, MOST_TRIED) + 1) if n % d == 0), LISTED + 1))
    if root <= MOST_TRIED:
        found += [n // d for d in reversed(found) if d * d != n]
    return found[: LISTED + 1]


def _first_paddings(size: int, extent: int, stride: int) -> list[int]:
    """Those p below extent for which stride divides size + 2 p - extent, which is not negative."""
    even = 1 + (stride % 2 == 0)
    if (extent - size) % even:
        return []
    step = stride // even
    first = (extent - size) // 2 if even == 2 else (extent - size) * ((stride + 1) // 2)
    least = max(0, -((size - extent) // 2))
    first = least + (first - least) % step
    return list(range(first, extent, step)[: LISTED + 1])


def _listed(names: list[str]) -> str:
    if len(names) <= LISTED:
        return ", ".join(names)
    return ", ".join(names[:LISTED]) + ", ..."
