"""ONNX's backend interface (`onnx.backend.base`), so that ONNX's own tests and tools run on this engine.

Needs the `onnx` package. Shapes come with the inputs: models are compiled when they first see a set
of them. Inputs that the engine must know while it builds (the shape of a Reshape, the weight of a
Conv) are bound to the values that came, and the model is compiled anew when they change.

>>> import numpy as np, pytest
>>> helper = pytest.importorskip("onnx").helper
>>> import pyconv.backend
>>> node = helper.make_node("Add", ["a", "b"], ["sum"])
>>> pyconv.backend.run_node(node, [np.float32([1, 2]), np.float32([3, 4])])[0].tolist()
[4.0, 6.0]
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.backend.base import Backend, BackendRep, Device, DeviceType, namedtupledict

from pyconv.formats.onnx.importer import NeedConstant, OnnxNetwork
from pyconv.formats.onnx.proto import DTYPES
from pyconv.formats.onnx.table import LATEST
from pyconv.graph import GraphBuilder
from pyconv.model import Model, compile

Array = npt.NDArray[Any]
_KEPT = 8  # compiled models of one network

__all__ = ["PyconvBackend", "PyconvRep", "is_compatible", "prepare", "run_model", "run_node", "supports_device"]


class PyconvRep(BackendRep):  # type: ignore[misc]
    """A model made ready: `run` takes arrays in the order of its inputs, or a dict by name.

    Safe to call from several threads.
    """

    def __init__(self, model: Any, options: Mapping[str, Any]) -> None:
        self._network = OnnxNetwork(model)
        self._options = dict(options)
        self._bound: frozenset[str] = frozenset()
        self._models: OrderedDict[Any, Model] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, inputs: Any, **kwargs: Any) -> Any:
        """The outputs, as a named tuple."""
        names = list(self._network.inputs)
        if isinstance(inputs, Mapping):
            given = {str(name): np.asarray(value) for name, value in inputs.items()}
        else:
            values = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
            if len(values) > len(names):
                raise ValueError(f"inputs: expected {len(names)}, got {len(values)}")
            given = {name: np.asarray(value) for name, value in zip(names, values)}
        model, fed = self._compiled(given)
        results = model({name: given[name] for name in fed})
        outputs = results if isinstance(results, tuple) else (results,)
        return namedtupledict("Outputs", self._network.outputs)(*outputs)

    def _compiled(self, given: Mapping[str, Array]) -> tuple[Model, list[str]]:
        while True:
            bound = self._bound
            fed = [name for name in self._network.inputs if name not in bound and name in given]
            known = {name: given[name] for name in sorted(bound) if name in given}
            key = (
                tuple((name, given[name].shape) for name in fed),
                tuple((name, a.dtype.str, a.shape, a.tobytes()) for name, a in known.items()),
            )
            with self._lock:
                if key in self._models:
                    self._models.move_to_end(key)
                    return self._models[key], fed
            try:
                builder = GraphBuilder()
                shapes = {name: given[name].shape for name in fed}
                model = compile(self._network.record(shapes, builder, known), **self._options)
            except NeedConstant as error:
                if error.inputs <= bound:
                    raise
                self._bound = bound | error.inputs
                continue
            with self._lock:
                self._models[key] = model
                if len(self._models) > _KEPT:
                    self._models.popitem(last=False)
            return model, fed


class PyconvBackend(Backend):  # type: ignore[misc]
    """The interface as ONNX's tools call it; options of `pyconv.compile` go through as keywords."""

    @classmethod
    def is_compatible(cls, model: Any, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether every operator of the model is taken."""
        try:
            OnnxNetwork(model)
        except ValueError:
            return False
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> PyconvRep:
        """Reads the model; ValueError names what is not supported."""
        if not cls.supports_device(device):
            raise ValueError(f"device: expected CPU, got {device!r}")
        return PyconvRep(model, kwargs)

    @classmethod
    def run_model(cls, model: Any, inputs: Any, device: str = "CPU", **kwargs: Any) -> Any:
        """`prepare` and `run` in one."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: Any,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        opset_version: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """One node on arrays, at opset `opset_version` (the latest where it is not given)."""
        values = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
        names = [name for name in node.input if name]
        arrays = dict(zip(names, (np.asarray(v) for v in values)))
        types = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
        infos = []
        for name, array in arrays.items():
            if array.dtype not in types:
                raise ValueError(f"input '{name}': expected one of {', '.join(DTYPES.values())}, got {array.dtype}")
            infos.append(onnx.helper.make_tensor_value_info(name, types[array.dtype], array.shape))
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = onnx.helper.make_graph([node], "node", infos, outputs)
        opset = onnx.helper.make_opsetid("", opset_version or min(LATEST, onnx.defs.onnx_opset_version()))
        return cls.run_model(onnx.helper.make_model(graph, opset_imports=[opset]), arrays, device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """CPU, and nothing else."""
        try:
            return bool(Device(device).type == DeviceType.CPU)
        except (AttributeError, ValueError):
            return False


is_compatible = PyconvBackend.is_compatible
prepare = PyconvBackend.prepare
run_model = PyconvBackend.run_model
run_node = PyconvBackend.run_node
supports_device = PyconvBackend.supports_device
