"""onnxruntime, CPU provider: NCHW in bound buffers, with and without its NCHWc layout."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnxruntime as ort

from ..problems import Array, Problem
from . import Runner
from .onnx_node import conv_model

NAME = "onnxruntime"
_LEVELS = {
    "NCHWc": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "NCHW": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
}


def version() -> str:
    return str(ort.__version__)


def runners(p: Problem, src: Array, weights: Array, bias: Array) -> Iterator[Runner]:
    model = conv_model(p, weights, bias)
    for how, level in _LEVELS.items():
        yield _runner(how, model, level, src, (p.mb, p.oc, p.oh, p.ow))


def _runner(
    how: str,
    model: bytes,
    level: ort.GraphOptimizationLevel,
    src: Array,
    shape: tuple[int, ...],
) -> Runner:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = level
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    dst = np.empty(shape, np.float32)
    binding = session.io_binding()
    source = ort.OrtValue.ortvalue_from_numpy(src)
    binding.bind_ortvalue_input("src", source)
    binding.bind_output("dst", "cpu", 0, np.float32, shape, dst.ctypes.data)
    return Runner(how, lambda: session.run_with_iobinding(binding), lambda: dst)
