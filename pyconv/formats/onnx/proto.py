"""Reading the file: messages to numpy, with every size checked against what is really there."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# TensorProto's types that the engine has, and the field that holds them where raw_data does not.
DTYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool"}
_FIELDS = {1: "float_data", 2: "int32_data", 3: "int32_data", 6: "int32_data", 7: "int64_data", 9: "int32_data"}
_MOST_ELEMENTS = 2**40
_EXTERNAL = 1  # TensorProto.EXTERNAL


def read_model(path: str) -> Any:
    """The ModelProto of a file, its external data unread."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise ImportError(
            "reading ONNX models needs the onnx package: pip install pyconv-engine[onnx]"
        ) from error
    try:
        return onnx.load_model(path, load_external_data=False)
    except DecodeError as error:
        raise ValueError(f"{path}: expected an ONNX model, got something else ({error})") from None


def type_name(elem_type: int) -> str:
    """TensorProto's name of a type, "double"."""
    import onnx

    try:
        return str(onnx.TensorProto.DataType.Name(elem_type)).lower()
    except ValueError:
        return f"type {elem_type}"


def dtype_of(elem_type: int, where: str) -> str:
    """numpy's name of a TensorProto type; ValueError for those that the engine has not."""
    if elem_type not in DTYPES:
        raise ValueError(
            f"{where}: expected one of the types {', '.join(DTYPES.values())}, got {type_name(elem_type)}"
        )
    return DTYPES[elem_type]


def tensor_array(tensor: Any, folder: str | None, where: str) -> Array:
    """A TensorProto's numbers, read-only. `folder`: where external data may lie; None: nowhere."""
    dtype = np.dtype(dtype_of(tensor.data_type, where))
    shape = [int(d) for d in tensor.dims]
    elements = 1
    for size in shape:
        elements *= size
        if size < 0 or elements > _MOST_ELEMENTS:
            raise ValueError(f"{where}: expected sizes of 0 or more and at most 2^40 elements, got {shape}")
    if tensor.HasField("segment"):
        raise ValueError(f"{where}: tensors in segments are not supported")
    if tensor.data_location == _EXTERNAL:
        data = _external(tensor, folder, elements * dtype.itemsize, where)
    elif tensor.HasField("raw_data"):
        data = tensor.raw_data
        if len(data) != elements * dtype.itemsize:
            raise ValueError(
                f"{where}: expected {elements * dtype.itemsize} bytes for {dtype} {tuple(shape)}, got {len(data)}"
            )
    else:
        return _from_field(tensor, dtype, elements, where).reshape(shape)
    array = np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False)
    if dtype == np.bool_:
        array = np.frombuffer(data, np.uint8) != 0
    return array.reshape(shape)


def _from_field(tensor: Any, dtype: Any, elements: int, where: str) -> Array:
    field = getattr(tensor, _FIELDS[tensor.data_type])
    if len(field) != elements:
        raise ValueError(f"{where}: expected {elements} numbers, got {len(field)}")
    values = np.array(field, np.float32 if tensor.data_type == 1 else np.int64)
    if dtype.kind in "iu" and values.size:
        info = np.iinfo(dtype)
        if int(values.min()) < info.min or int(values.max()) > info.max:
            raise ValueError(f"{where}: expected numbers of {dtype}, got one beyond it")
    return values.astype(dtype)


def _external(tensor: Any, folder: str | None, wanted: int, where: str) -> bytes:
    entries = {e.key: e.value for e in tensor.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise ValueError(f"{where}: external data '{location}' of a model that came from no file")
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, location))
    if not location or os.path.isabs(location) or os.path.commonpath([root, path]) != root:
        raise ValueError(f"{where}: expected external data in the model's folder, got '{location}'")
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", wanted))
    except ValueError:
        raise ValueError(f"{where}: expected integers for offset and length of '{location}'") from None
    if not os.path.isfile(path):
        raise ValueError(f"{where}: external data '{location}' is missing")
    if length != wanted or offset < 0 or offset + length > os.path.getsize(path):
        raise ValueError(
            f"{where}: expected {wanted} bytes of external data at {offset} of '{location}', which has "
            f"{os.path.getsize(path)}; length says {length}"
        )
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(length)


def check_names(graph: Any) -> None:
    """ValueError where a name is no UTF-8: protobuf hands such a one on as bytes."""
    kinds: list[tuple[str, list[Any]]] = [
        ("input", [i.name for i in graph.input]),
        ("output", [o.name for o in graph.output]),
        ("initializer", [i.name for i in graph.initializer]),
    ]
    for n in graph.node:
        kinds.append(("node", [n.name, n.op_type, n.domain, *n.input, *n.output, *(a.name for a in n.attribute)]))
    for kind, names in kinds:
        for name in names:
            if not isinstance(name, str):
                raise ValueError(f"{kind}: expected names in UTF-8, got {name!r}")


def opset_of(model: Any, latest: int) -> int:
    """The version of ONNX's own operators that the model uses."""
    versions = [int(o.version) for o in model.opset_import if o.domain in ("", "ai.onnx")]
    if not versions:
        raise ValueError("opset_import: expected a version of ONNX's operators, got none")
    if not 7 <= versions[0] <= latest:
        raise ValueError(f"opset: expected 7 to {latest}, got {versions[0]}")
    return versions[0]


def declared_shape(info: Any) -> tuple[Any, ...] | None:
    """A ValueInfoProto's shape: ints, and names or None for open sizes; None where it says nothing."""
    tensor = info.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    sizes: list[Any] = []
    for dim in tensor.shape.dim:
        kind = dim.WhichOneof("value")
        sizes.append(int(dim.dim_value) if kind == "dim_value" else dim.dim_param or None)
    return tuple(sizes)
