"""What the readers share: element types, and conversions that the caller asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

AnyArray = NDArray[Any]
BFLOAT16 = "bfloat16"  # numpy has no such type: read as uint16, handed on as float32
MAX_RANK = 32  # numpy 1.x takes no more


def elements(raw: AnyArray, dtype: str) -> AnyArray:
    """The bytes as elements of one type; bfloat16 becomes float32, which holds each of its values.

    Raises ValueError for a bool that is neither 0 nor 1.
    """
    if dtype == BFLOAT16:
        wide = raw.view("<u2").astype(np.uint32) << np.uint32(16)
        widened: AnyArray = wide.view(np.float32)
        return widened
    if dtype == "bool" and raw.size and int(raw.max()) > 1:
        raise ValueError(f"a bool is stored as 0 or 1, got {int(raw.max())}")
    array: AnyArray = raw.view(np.dtype(dtype))
    return array if sys.byteorder == "little" else array.byteswap()


def stored_size(dtype: str) -> int:
    return 2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize


def checked_dtype(dtype: object) -> np.dtype[Any] | None:
    if dtype is None:
        return None
    wanted: np.dtype[Any] = np.dtype(dtype)  # type: ignore[call-overload]
    if wanted.kind != "f":
        raise ValueError(f"dtype: expected a floating type or None, got {wanted}")
    return wanted


def converted(array: AnyArray, dtype: np.dtype[Any] | None) -> AnyArray:
    """Floating arrays in the type asked for; integers and bool stay what they are."""
    if dtype is None or array.dtype.kind != "f":
        return array
    return array.astype(dtype, copy=False)


def without_prefix(arrays: Mapping[str, AnyArray], prefix: str) -> dict[str, AnyArray]:
    stripped: dict[str, AnyArray] = {}
    for name, array in arrays.items():
        short = name.removeprefix(prefix)
        if short in stripped:
            raise ValueError(f"strip_prefix: without {prefix!r} two entries are named {short!r}")
        stripped[short] = array
    return stripped
