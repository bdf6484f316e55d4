"""Safetensors files: eight bytes of length, a JSON header of names, types, shapes and offsets, the data.

Source: the format as described at https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyconv.formats._arrays import (
    MAX_RANK,
    AnyArray,
    checked_dtype,
    converted,
    elements,
    stored_size,
    without_prefix,
)

MAX_HEADER = 100_000_000  # bytes, the bound of the format's own library
ALIGNMENT = 64  # of the data in files written here: a cache line
_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}


@dataclass(frozen=True)
class TensorInfo:
    """One entry of a header. `begin` and `end` count bytes from the start of the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a file says about itself. `data_start` counts bytes from the start of the file."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    data_start: int


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"header: {twice!r} stands there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"header: {name} is not JSON")


def _natural(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _tensor_info(name: str, entry: Any) -> TensorInfo:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name!r}: expected dtype, shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in _DTYPES:
        raise ValueError(f"{name!r}: dtype {code!r} is not supported (supported: {', '.join(_DTYPES)})")
    if not isinstance(shape, list) or len(shape) > MAX_RANK or not all(map(_natural, shape)):
        raise ValueError(f"{name!r}: shape: expected at most {MAX_RANK} integers of 0 or more")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_natural, offsets)):
        raise ValueError(f"{name!r}: data_offsets: expected two integers of 0 or more")
    begin, end = offsets
    expected = math.prod(shape) * stored_size(_DTYPES[code])
    if end - begin != expected:
        raise ValueError(f"{name!r}: {code} of shape {shape} takes {expected} bytes, got {begin}..{end}")
    return TensorInfo(_DTYPES[code], tuple(shape), begin, end)


def _check_coverage(tensors: Mapping[str, TensorInfo], size: int) -> None:
    """The tensors lie one after the other and fill the data."""
    position = 0
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if info.begin != position:
            what = "overlaps another tensor" if info.begin < position else "leaves a hole before it"
            raise ValueError(f"{name!r}: {what}: begins at {info.begin}, expected {position}")
        position = info.end
    if position != size:
        raise ValueError(f"the tensors end at {position}, the data at {size}")


def _parse(text: bytes, data_start: int, file_size: int) -> Header:
    if not text.startswith(b"{"):
        raise ValueError("not a safetensors file: the header does not begin with '{'")
    try:
        entries = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("header: nested too deeply") from None
    if not isinstance(entries, dict):
        raise ValueError("header: expected a JSON object")
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("__metadata__: expected text by name")
    tensors = {name: _tensor_info(name, entry) for name, entry in entries.items()}
    _check_coverage(tensors, file_size - data_start)
    return Header(tensors, metadata, data_start)


def _header(data: AnyArray) -> Header:
    if data.size < 8:
        raise ValueError("not a safetensors file: shorter than 8 bytes")
    length = int.from_bytes(data[:8].tobytes(), "little")
    if length > min(MAX_HEADER, data.size - 8):
        raise ValueError(
            f"not a safetensors file: a header of {length} bytes in a file of {data.size}"
            f" (at most {MAX_HEADER})"
        )
    return _parse(data[8 : 8 + length].tobytes(), 8 + length, data.size)


def _mapped(path: Path) -> AnyArray:
    if path.stat().st_size == 0:  # cannot be mapped
        return np.empty(0, np.uint8)
    mapped: AnyArray = np.memmap(path, np.uint8, "r").view(np.ndarray)
    return mapped


def read_header(path: str | os.PathLike[str]) -> Header:
    """Names, types, shapes and metadata of a file, every one of them checked; no data is read.

    Raises:
        ValueError: not a safetensors file, or one that contradicts itself.
        OSError: the file cannot be read.

    >>> import os, tempfile, numpy as np
    >>> from pyconv.formats import safetensors
    >>> path = os.path.join(tempfile.mkdtemp(), "a.safetensors")
    >>> safetensors.save(path, {"bias": np.zeros(4, np.float32)}, metadata={"network": "none"})
    >>> safetensors.read_header(path).tensors["bias"]
    TensorInfo(dtype='float32', shape=(4,), begin=0, end=16)
    """
    path = Path(path)
    try:
        return _header(_mapped(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load(
    path: str | os.PathLike[str], *, dtype: object = None, strip_prefix: str = ""
) -> dict[str, AnyArray]:
    """The tensors of a file by name, in the header's order.

    The file is mapped, not read: arrays are read-only views of it (a copy where the file does not align
    them), so that it must not be changed while they are in use.

    Args:
        path: the file.
        dtype: None, or the floating type to convert all floating tensors to, as ``"float32"``.
        strip_prefix: taken off every name that starts with it.

    Returns:
        Arrays of the stored types; bfloat16, which numpy does not have, as float32.

    Raises:
        ValueError: not a safetensors file; a type this reader does not know; offsets that overlap, leave
            holes or do not fit the shapes; a name twice; a header over 100 MB.
        OSError: the file cannot be read.

    Source: https://github.com/huggingface/safetensors#format.

    >>> import os, tempfile, numpy as np
    >>> from pyconv.formats import safetensors
    >>> path = os.path.join(tempfile.mkdtemp(), "a.safetensors")
    >>> safetensors.save(path, {"bias": np.arange(3, dtype=np.float32)})
    >>> safetensors.load(path)
    {'bias': array([0., 1., 2.], dtype=float32)}
    """
    path, wanted = Path(path), checked_dtype(dtype)
    try:
        data = _mapped(path)
        header = _header(data)
        body = data[header.data_start :]
        arrays = {name: _array(name, info, body, wanted) for name, info in header.tensors.items()}
        return without_prefix(arrays, strip_prefix)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _array(name: str, info: TensorInfo, body: AnyArray, dtype: np.dtype[Any] | None) -> AnyArray:
    raw = body[info.begin : info.end]
    if raw.ctypes.data % stored_size(info.dtype):
        raw = raw.copy()
    try:
        return converted(elements(raw, info.dtype), dtype).reshape(info.shape)
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from None


def _checked_tensors(tensors: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    checked: dict[str, AnyArray] = {}
    for name, array in tensors.items():
        if not isinstance(name, str):
            raise TypeError(f"tensors: expected names as keys, got {name!r}")
        if not isinstance(array, np.ndarray):
            raise TypeError(f"tensors[{name!r}]: expected a numpy array, got {type(array).__name__}")
        if name == "__metadata__":
            raise ValueError("tensors: '__metadata__' is not a name for a tensor")
        if array.dtype.name not in _CODES:
            raise ValueError(f"tensors[{name!r}]: expected one of {', '.join(_CODES)}, got {array.dtype}")
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        checked[name] = np.ascontiguousarray(little).reshape(array.shape)
    return checked


def _header_bytes(tensors: Mapping[str, AnyArray], order: list[str], metadata: Mapping[str, str]) -> bytes:
    begin, offsets = 0, {}
    for name in order:
        offsets[name] = [begin, begin + tensors[name].nbytes]
        begin += tensors[name].nbytes
    entries: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    for name, array in tensors.items():
        code = _CODES[array.dtype.name]
        entries[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": offsets[name]}
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    if len(text) > MAX_HEADER:
        raise ValueError(f"tensors and metadata: a header of {len(text)} bytes, at most {MAX_HEADER}")
    return len(text).to_bytes(8, "little") + text


def save(
    path: str | os.PathLike[str],
    tensors: Mapping[str, AnyArray],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes a safetensors file, whole or not at all.

    The header lists tensors in the order given; their data stands ordered by the size of the element
    type, largest first, from a multiple of 64 bytes on, so that each is aligned for its type.

    Args:
        path: the file, replaced if it exists.
        tensors: arrays of float64, float32, float16 or an integer type or bool, by name.
        metadata: text by name.

    Raises:
        TypeError: a value that is not an array, metadata that is not text.
        ValueError: a type that the format does not have; a header over 100 MB.
        OSError: the file cannot be written.

    >>> import os, tempfile, numpy as np
    >>> from pyconv.formats import safetensors
    >>> path = os.path.join(tempfile.mkdtemp(), "a.safetensors")
    >>> safetensors.save(path, {"weight": np.ones((2, 3), np.float32)})
    >>> os.path.getsize(path)
    152
    """
    pieces = _pieces(tensors, metadata or {})
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def dumps(tensors: Mapping[str, AnyArray], *, metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of the file that `save` would write.

    >>> import numpy as np
    >>> from pyconv.formats import safetensors
    >>> len(safetensors.dumps({"weight": np.ones((2, 3), np.float32)}))
    152
    """
    return b"".join(_pieces(tensors, metadata or {}))


def _pieces(tensors: Mapping[str, AnyArray], metadata: Mapping[str, str]) -> list[bytes | memoryview]:
    if not all(isinstance(text, str) for item in metadata.items() for text in item):
        raise TypeError("metadata: expected text by name")
    checked = _checked_tensors(tensors)
    order = sorted(checked, key=lambda name: -checked[name].itemsize)  # stable
    pieces: list[bytes | memoryview] = [_header_bytes(checked, order, metadata)]
    for name in order:
        flat: NDArray[np.uint8] = checked[name].reshape(-1).view(np.uint8)
        pieces.append(flat.data)
    return pieces
