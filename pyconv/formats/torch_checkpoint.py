"""Weights of `torch.save` files, read without torch and without running what the pickle asks for.

Two containers: the zip of torch 1.6 and later (`<name>/data.pkl`, one stored member per storage), and
the stream before it (four pickles, then the storages). In both, the pickle describes tensors as views
of storages; `_pickle.load` hands those descriptions over, and each is checked against its storage.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyconv.formats import _pickle, _zip
from pyconv.formats._arrays import (
    MAX_RANK,
    AnyArray,
    checked_dtype,
    converted,
    elements,
    stored_size,
    without_prefix,
)
from pyconv.formats._pickle import Global

LEGACY_MAGIC = bytes.fromhex("8a0a6cfc9c46f9206aa850192e")  # the pickled number, after the protocol
_STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
_WRAPPERS = ("state_dict", "model_state_dict", "model")


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def _storage(value: Any) -> _Storage:
    """From ("storage", type, key, place, count), and in old files the part of another that it is."""
    if type(value) is not tuple or len(value) not in (5, 6) or value[0] != "storage":
        raise ValueError("a persistent id that is not a storage")
    kind, key, count = value[1], value[2], value[4]
    if not isinstance(kind, Global) or kind.module != "torch" or kind.name not in _STORAGES:
        shown = str(kind) if isinstance(kind, Global) else type(kind).__name__
        raise ValueError(f"{shown}: not a storage type this reader knows")
    if not isinstance(key, str) or type(count) is not int or count < 0:
        raise ValueError("a storage needs a key and a count of elements")
    if len(value) == 6 and value[5] is not None:
        raise ValueError(f"storage {key}: a view of another storage is not supported")
    return _Storage(key, _STORAGES[kind.name], count)


def _sizes(value: Any) -> tuple[int, ...]:
    valid = type(value) is tuple and all(type(n) is int and 0 <= n < 2**63 for n in value)
    if not valid or len(value) > MAX_RANK:
        raise ValueError(f"a shape and its strides are at most {MAX_RANK} integers of 0 or more")
    sizes: tuple[int, ...] = value
    return sizes


def _tensor(arguments: tuple[Any, ...]) -> _Tensor:
    """From (storage, offset, shape, strides, ...), all inside the storage and not larger than it."""
    if len(arguments) < 4 or not isinstance(arguments[0], _Storage):
        raise ValueError("a tensor needs a storage, an offset, a shape and strides")
    storage, (offset,) = arguments[0], _sizes((arguments[1],))
    shape, stride = _sizes(arguments[2]), _sizes(arguments[3])
    if len(shape) != len(stride):
        raise ValueError(f"storage {storage.key}: {len(shape)} sizes, {len(stride)} strides")
    count = math.prod(shape)
    end = offset + sum((n - 1) * step for n, step in zip(shape, stride)) + 1 if count else offset
    if end > storage.count:
        raise ValueError(
            f"storage {storage.key}: a tensor of shape {shape} and strides {stride} at {offset} ends at "
            f"{end}, the storage holds {storage.count} elements"
        )
    if count > storage.count:
        raise ValueError(f"storage {storage.key}: an expanded tensor of shape {shape} is not supported")
    return _Tensor(storage, offset, shape, stride)


def _call(function: Global, arguments: tuple[Any, ...]) -> Any:
    known = str(function)
    if known == "collections.OrderedDict" and not arguments:
        return {}
    if known in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
        return _tensor(arguments)
    if known == "torch._utils._rebuild_parameter" and arguments and isinstance(arguments[0], _Tensor):
        return arguments[0]
    if known == "torch.Size" and len(arguments) == 1:
        return _sizes(arguments[0])
    raise ValueError(
        f"{known} is refused: only dicts of tensors are read, as torch.save(model.state_dict(), path) "
        "writes them"
    )


def _state_dict(value: Any) -> dict[str, _Tensor]:
    for _ in _WRAPPERS:  # a bound: a dict may hold itself
        inner = [value[w] for w in _WRAPPERS if w in value] if isinstance(value, dict) else []
        if not inner or not isinstance(inner[0], dict):
            break
        value = inner[0]
    if not isinstance(value, dict):
        raise ValueError(f"expected a dict of tensors, got a {type(value).__name__.strip('_')}")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise ValueError(f"{name!r}: expected a tensor, got a {type(tensor).__name__.strip('_')}")
    return value


class _Builder:
    """Arrays from descriptions; each storage is read once, tensors that share one share the memory."""

    def __init__(self, read: Callable[[_Storage], AnyArray], dtype: np.dtype[Any] | None, limit: int):
        self.read = read
        self.dtype = dtype
        self.left = limit  # bytes of tensors that had to be copied: a few cannot become many
        self.storages: dict[str, tuple[_Storage, AnyArray]] = {}

    def storage(self, wanted: _Storage) -> AnyArray:
        if wanted.key not in self.storages:
            raw = self.read(wanted)
            try:
                self.storages[wanted.key] = wanted, converted(elements(raw, wanted.dtype), self.dtype)
            except ValueError as error:
                raise ValueError(f"storage {wanted.key}: {error}") from None
        known, array = self.storages[wanted.key]
        if known != wanted:
            raise ValueError(f"storage {wanted.key}: two tensors disagree about its type or size")
        return array

    def array(self, tensor: _Tensor) -> AnyArray:
        whole = self.storage(tensor.storage)
        steps = tuple(step * whole.itemsize for step in tensor.stride)
        count = math.prod(tensor.shape)
        if not count:
            return np.empty(tensor.shape, whole.dtype)
        view: AnyArray = np.ndarray(
            tensor.shape, whole.dtype, whole.data, tensor.offset * whole.itemsize, steps
        )
        if view.flags.c_contiguous:
            return view
        self.left -= count * stored_size(tensor.storage.dtype)
        if self.left < 0:
            raise ValueError("its transposed tensors together are larger than the file")
        copied: AnyArray = view.copy()
        return copied


def _check_members(members: Mapping[str, zipfile.ZipInfo], file_size: int) -> str:
    """The folder that holds `data.pkl`."""
    for info in members.values():
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise ValueError(f"zip: {info.filename} is compressed or encrypted; torch.save stores plainly")
        if info.file_size != info.compress_size:
            raise ValueError(f"zip: {info.filename} has two sizes")
    if sum(info.file_size for info in members.values()) > file_size:
        raise ValueError("zip: its members together are larger than the file")
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise ValueError("zip: expected one <name>/data.pkl, as torch.save writes it")
    return pickles[0].removesuffix("data.pkl")


def _load_zip(path: Path, dtype: np.dtype[Any] | None) -> dict[str, AnyArray]:
    size = path.stat().st_size
    with _zip.opened(path) as (archive, members):
        folder = _check_members(members, size)
        order = folder + "byteorder"
        if order in members and archive.read(members[order]) != b"little":
            raise ValueError("big-endian storages are not supported")

        def read(storage: _Storage) -> AnyArray:
            info = members.get(f"{folder}data/{storage.key}")
            expected = storage.count * stored_size(storage.dtype)
            if info is None:
                raise ValueError(f"storage {storage.key}: expected {expected} bytes, missing")
            data = bytearray(archive.read(info))
            if len(data) != expected:
                raise ValueError(f"storage {storage.key}: expected {expected} bytes, {len(data)} bytes")
            return np.frombuffer(data, np.uint8)

        pickled = io.BytesIO(archive.read(members[folder + "data.pkl"]))
        tensors = _state_dict(_pickle.load(pickled, _call, _storage))
        builder = _Builder(read, dtype, size)
        return {name: builder.array(tensor) for name, tensor in tensors.items()}


def _load_legacy(path: Path, dtype: np.dtype[Any] | None) -> dict[str, AnyArray]:
    described: dict[str, _Storage] = {}

    def describe(value: Any) -> _Storage:
        storage = _storage(value)
        if described.setdefault(storage.key, storage) != storage:
            raise ValueError(f"storage {storage.key}: two tensors disagree about its type or size")
        return storage

    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        stream: Any = data
        _, protocol, system = (_pickle.load(stream) for _ in range(3))
        if protocol != 1001 or not isinstance(system, dict) or system.get("little_endian") is not True:
            raise ValueError("expected stream version 1001 with little-endian storages")
        tensors = _state_dict(_pickle.load(stream, _call, describe))
        keys = _pickle.load(stream)
        if type(keys) is not list or not all(isinstance(k, str) for k in keys):
            raise ValueError("the list of storages is missing")
        if len(set(keys)) != len(keys) or set(keys) != described.keys():
            raise ValueError("the list of storages is not that of the tensors")
        raw: dict[str, AnyArray] = {}
        for key in keys:
            storage = described[key]
            head = data.read(8)
            expected = storage.count * stored_size(storage.dtype)
            if len(head) != 8 or struct.unpack("<q", head)[0] != storage.count:
                raise ValueError(f"storage {key}: expected {storage.count} elements in the stream")
            if data.size() - data.tell() < expected:
                raise ValueError(f"storage {key}: the file ends before its {expected} bytes")
            raw[key] = np.frombuffer(bytearray(data.read(expected)), np.uint8)
        builder = _Builder(lambda storage: raw[storage.key], dtype, data.size())
        return {name: builder.array(tensor) for name, tensor in tensors.items()}


def is_legacy(head: bytes) -> bool:
    return head[:1] == b"\x80" and head[2 : 2 + len(LEGACY_MAGIC)] == LEGACY_MAGIC


def load_torch_checkpoint(
    path: str | os.PathLike[str], *, dtype: object = None, strip_prefix: str = ""
) -> dict[str, AnyArray]:
    """The tensors of a file of ``torch.save``, by name and in order. torch is not needed.

    The file is not trusted: nothing of it is run, and what is read is bounded by its size. A dict under
    ``"state_dict"``, ``"model_state_dict"`` or ``"model"`` is taken instead of the one around it.

    Args:
        path: a file in torch's zip format (torch 1.6 and later) or in the stream format before it.
        dtype: None, or the floating type to convert all floating tensors to, as ``"float32"``.
        strip_prefix: taken off every name that starts with it, as the ``"module."`` of DataParallel.

    Returns:
        C-contiguous arrays: float64, float32, float16, int64, int32, int16, int8, uint8 or bool as
        stored; bfloat16, which numpy does not have, as float32. Tensors that share a storage share memory.

    Raises:
        ValueError: not such a file, damaged, or holding anything but dicts of tensors and plain values
            (the message names what was asked for).
        OSError: the file cannot be read.

    Source: the containers as ``torch/serialization.py`` writes them.

    >>> from pyconv.formats import load_torch_checkpoint
    >>> state = load_torch_checkpoint("resnet20.th", strip_prefix="module.")   # doctest: +SKIP
    >>> state["conv1.weight"].shape                                            # doctest: +SKIP
    (16, 3, 3, 3)
    """
    path, wanted = Path(path), checked_dtype(dtype)
    with path.open("rb") as file:
        head = file.read(32)
    try:
        if head.startswith(b"PK\x03\x04"):
            arrays = _load_zip(path, wanted)
        elif is_legacy(head):
            arrays = _load_legacy(path, wanted)
        else:
            raise ValueError("not a torch checkpoint (neither its zip nor its stream format)")
        return without_prefix(arrays, strip_prefix)
    except (ValueError, struct.error) as error:
        raise ValueError(f"{path}: {error}") from None
