"""Files as `torch.save` writes them, made byte by byte, honest ones and others."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from typing import Any

MAGIC = 0x1950A86A20F9469CFC6C


@dataclass
class Name:
    module: str
    name: str


@dataclass
class Call:
    function: Name
    arguments: tuple


@dataclass
class Persistent:
    value: Any


@dataclass
class Raw:
    code: bytes


ORDERED_DICT = Name("collections", "OrderedDict")


def code(value):
    """Pickle instructions that leave `value` on the stack."""
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(data)]) + data
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, tuple):
        return b"(" + b"".join(map(code, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(code, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(code(k) + code(v) for k, v in value.items()) + b"u"
    if isinstance(value, Name):
        return f"c{value.module}\n{value.name}\n".encode()
    if isinstance(value, Call):
        return code(value.function) + code(value.arguments) + b"R"
    if isinstance(value, Persistent):
        return code(value.value) + b"Q"
    return value.code


def pickled(value):
    return b"\x80\x02" + code(value) + b"."


def storage(key, kind, count, *more):
    return Persistent(("storage", Name("torch", kind), key, "cpu", count, *more))


def tensor(key, kind, count, shape, stride, offset=0):
    hooks = Call(ORDERED_DICT, ())
    rebuild = Name("torch._utils", "_rebuild_tensor_v2")
    return Call(rebuild, (storage(key, kind, count), offset, shape, stride, False, hooks))


def parameter(inner):
    return Call(Name("torch._utils", "_rebuild_parameter"), (inner, True, Call(ORDERED_DICT, ())))


def write_zip(path, value, storages, *, compression=zipfile.ZIP_STORED, order="little", folder="a"):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(f"{folder}/data.pkl", pickled(value))
        archive.writestr(f"{folder}/byteorder", order)
        for key, data in storages.items():
            archive.writestr(f"{folder}/data/{key}", data)
    return path


def write_stream(path, value, storages, *, little=True, protocol=1001, keys=None):
    """`storages`: key -> (count, bytes)."""
    parts = [pickled(MAGIC), pickled(protocol), pickled({"little_endian": little}), pickled(value)]
    parts.append(pickled(list(storages) if keys is None else keys))
    parts += [struct.pack("<q", count) + data for count, data in storages.values()]
    path.write_bytes(b"".join(parts))
    return path
