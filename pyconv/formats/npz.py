"""Weights in numpy's npz: a zip of npy files. Nothing is unpickled."""

from __future__ import annotations

import math
import os
import tokenize
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from pyconv.formats import _zip
from pyconv.formats._arrays import MAX_RANK, AnyArray, checked_dtype, converted, without_prefix

# What numpy's reader lets through of Python's parser, beside ValueError.
_DAMAGED_HEADER = (
    tokenize.TokenError, SyntaxError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> AnyArray:
    with archive.open(info) as file:
        npy: Any = np.lib.format  # untyped in numpy 2.2
        version = npy.read_magic(file)
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"npy version {version} is not supported")
        try:
            shape, column_major, dtype = readers[version](file)
        except _DAMAGED_HEADER as error:
            raise ValueError(f"npy header: {type(error).__name__}: {error}") from None
        if dtype.kind not in "fiub":
            raise ValueError(f"expected numbers or bool, got {dtype}")
        if len(shape) > MAX_RANK or any(n < 0 for n in shape):
            raise ValueError(f"a shape is at most {MAX_RANK} integers of 0 or more, got {shape}")
        expected = math.prod(shape) * dtype.itemsize
        if expected != info.file_size - file.tell():
            raise ValueError(f"{dtype} of shape {shape} takes {expected} bytes, the member holds others")
        data = bytearray(file.read())
    if len(data) != expected:
        raise ValueError(f"expected {expected} bytes, got {len(data)}")
    flat: AnyArray = np.frombuffer(data, dtype)
    whole = flat.reshape(shape, order="F" if column_major else "C")
    native: AnyArray = np.ascontiguousarray(whole, dtype.newbyteorder("=")).reshape(shape)
    return native


def load_npz(
    path: str | os.PathLike[str],
    *,
    dtype: object = None,
    strip_prefix: str = "",
    max_bytes: int = 4 << 30,
) -> dict[str, AnyArray]:
    """The arrays of a file of ``numpy.savez`` or ``numpy.savez_compressed``, by name.

    Args:
        path: the file.
        dtype: None, or the floating type to convert all floating arrays to, as ``"float32"``.
        strip_prefix: taken off every name that starts with it.
        max_bytes: what all arrays together may take, since a compressed file does not bound it.

    Returns:
        C-contiguous arrays in native byte order.

    Raises:
        ValueError: not an npz file, damaged, larger than ``max_bytes``, or holding objects.
        OSError: the file cannot be read.

    >>> import os, tempfile, numpy as np
    >>> from pyconv.formats import load_npz
    >>> path = os.path.join(tempfile.mkdtemp(), "a.npz")
    >>> np.savez(path, bias=np.arange(3, dtype=np.float32))
    >>> load_npz(path)
    {'bias': array([0., 1., 2.], dtype=float32)}
    """
    path, wanted = Path(path), checked_dtype(dtype)
    arrays: dict[str, AnyArray] = {}
    try:
        with _zip.opened(path) as (archive, members):
            total = sum(info.file_size for info in members.values())
            if total > max_bytes:
                raise ValueError(f"its arrays take {total} bytes, max_bytes is {max_bytes}")
            for file_name, info in members.items():
                name = file_name.removesuffix(".npy")
                if name == file_name:
                    raise ValueError(f"{file_name!r}: expected names that end in .npy")
                try:
                    arrays[name] = converted(_member(archive, info), wanted)
                except ValueError as error:
                    raise ValueError(f"{name!r}: {error}") from None
        return without_prefix(arrays, strip_prefix)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
