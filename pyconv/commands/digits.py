"""Digits in a terminal: 28 x 28 pixels in 14 x 7 characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BRAILLE = 0x2800
"""The character without dots; dot i of `_DOTS` adds 1 << i."""
_DOTS = ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1))  # row and column
INK = 96


def braille(picture: NDArray[np.uint8]) -> list[str]:
    """A line for every four rows of pixels, a character for every two columns.

    >>> import numpy as np
    >>> braille(np.full((4, 6), 255, np.uint8))
    ['⣿⣿⣿']
    """
    height, width = picture.shape
    codes = np.full((height // 4, width // 2), BRAILLE)
    for bit, (row, column) in enumerate(_DOTS):
        codes |= (picture[row::4, column::2] >= INK).astype(codes.dtype) << bit
    return ["".join(map(chr, row)) for row in codes]


def ascii_art(picture: NDArray[np.uint8]) -> list[str]:
    """The same size in shades, for a terminal without Unicode."""
    height, width = picture.shape
    means = picture.reshape(height // 4, 4, width // 2, 2).mean((1, 3))
    return ["".join(" .:+#"[int(m * 5 / 256)] for m in row) for row in means]


def grid(pictures: Sequence[Any], captions: Sequence[str], columns: int, *, unicode: bool = True) -> str:
    """Rows of so many pictures, each with a line below."""
    draw = braille if unicode else ascii_art
    lines = []
    for start in range(0, len(pictures), columns):
        drawn = [draw(picture) for picture in pictures[start : start + columns]]
        lines += ["  ".join(row) for row in zip(*drawn)]
        lines += [
            "  ".join(f"{c:^{len(drawn[0][0])}}" for c in captions[start : start + columns]).rstrip(),
            "",
        ]
    return "\n".join(lines)
