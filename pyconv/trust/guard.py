"""Arrays beside pages that can be neither read nor written."""

from __future__ import annotations

import ctypes
import mmap
import os
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)

_PROT_NONE = 0


@cache
def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return libc


def guarded(array: NDArray[T], where: str = "end") -> NDArray[T]:
    """A C-contiguous copy whose last byte (where="end") or first byte ("begin") touches a page
    that can be neither read nor written: one step too far ends the process."""
    assert where in ("begin", "end"), where
    array = np.array(array, order="C", ndmin=1)
    if array.size == 0:
        return array
    page = mmap.PAGESIZE
    room = -(-array.nbytes // page) * page
    memory = mmap.mmap(-1, room + 2 * page)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for at in (base, base + page + room):
        if _libc().mprotect(at, page, _PROT_NONE) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    offset = page if where == "begin" else page + room - array.nbytes
    view: NDArray[Any] = np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
    view[...] = array
    return view
