"""onnxruntime, CPU provider: NCHW in bound buffers, with and without its NCHWc layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
        yield _runner(how, model, level, src)


def network_runners(folder: Path, src: Array, threads: int) -> Iterator[Runner]:
    """The network of `network.onnx`, run by nodes in order; workers spin between them, as by default."""
    for how, level in _LEVELS.items():
        yield _runner(how, str(folder / "network.onnx"), level, src, threads)


def _runner(
    how: str, model: bytes | str, level: ort.GraphOptimizationLevel, src: Array, threads: int = 1
) -> Runner:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = level
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    dst = np.empty(made.shape, np.float32)
    binding = session.io_binding()
    source = ort.OrtValue.ortvalue_from_numpy(src)
    binding.bind_ortvalue_input(given.name, source)
    binding.bind_output(made.name, "cpu", 0, np.float32, made.shape, dst.ctypes.data)
    return Runner(how, lambda: session.run_with_iobinding(binding), lambda: dst)
