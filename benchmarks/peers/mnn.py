"""MNN in fp32, NCHW, from its own converter (the extension behind `mnnconvert`).

`MNN.tools` is not imported: it installs packages and sends usage records.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import _tools
import MNN
import numpy as np

from ..problems import Array, Problem
from . import Runner
from .onnx_node import conv_model

NAME = "mnn"


def version() -> str:
    return str(MNN.version())


def runners(p: Problem, src: Array, weights: Array, bias: Array) -> Iterator[Runner]:
    with tempfile.TemporaryDirectory() as folder, _silent():
        onnx_file, mnn_file = Path(folder) / "conv.onnx", Path(folder) / "conv.mnn"
        onnx_file.write_bytes(conv_model(p, weights, bias))
        _tools.mnnconvert(
            ["mnnconvert", "-f", "ONNX", "--modelFile", str(onnx_file), "--MNNModel", str(mnn_file)]
        )
        net = MNN.Interpreter(str(mnn_file))
        session = net.createSession({"numThread": 1, "backend": "CPU", "precision": "high"})
    source, dst = net.getSessionInput(session, "src"), net.getSessionOutput(session, "dst")
    nchw = MNN.Tensor_DimensionType_Caffe
    source.copyFrom(MNN.Tensor(src.shape, MNN.Halide_Type_Float, src, nchw))

    def result() -> Array:
        host = MNN.Tensor(dst.getShape(), MNN.Halide_Type_Float, np.empty(dst.getShape(), np.float32), nchw)
        dst.copyToHostTensor(host)
        return np.array(host.getNumpyData(), np.float32)

    yield Runner("NCHW", lambda: net.runSession(session), result)


@contextmanager
def _silent() -> Iterator[None]:
    """The converter prints from C++ whatever it does."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    with open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), 1)
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        for target, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, target)
            os.close(copy)
