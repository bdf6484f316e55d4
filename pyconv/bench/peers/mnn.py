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
    with tempfile.TemporaryDirectory() as folder:
        onnx_file, mnn_file = Path(folder) / "conv.onnx", Path(folder) / "conv.mnn"
        onnx_file.write_bytes(conv_model(p, weights, bias))
        with _silent():
            _convert(onnx_file, mnn_file)
        yield _runner(mnn_file, src, 1)


def write_network(folder: Path) -> None:
    """`network.mnn` from `network.onnx`."""
    with _silent():
        _convert(folder / "network.onnx", folder / "network.mnn")


def network_runners(folder: Path, src: Array, threads: int) -> Iterator[Runner]:
    """The network of `network.mnn`. The source is copied in before every run: the session uses its
    buffer for other values afterwards."""
    yield _runner(folder / "network.mnn", src, threads, refill=True)


def _convert(onnx_file: Path, mnn_file: Path) -> None:
    _tools.mnnconvert(
        ["mnnconvert", "-f", "ONNX", "--modelFile", str(onnx_file), "--MNNModel", str(mnn_file)]
    )


def _runner(file: Path, src: Array, threads: int, refill: bool = False) -> Runner:
    with _silent():
        net = MNN.Interpreter(str(file))
        session = net.createSession({"numThread": threads, "backend": "CPU", "precision": "high"})
    source, dst = net.getSessionInput(session), net.getSessionOutput(session)
    nchw = MNN.Tensor_DimensionType_Caffe
    given = MNN.Tensor(src.shape, MNN.Halide_Type_Float, src, nchw)
    source.copyFrom(given)

    def run() -> None:
        if refill:
            source.copyFrom(given)
        net.runSession(session)

    def result() -> Array:
        host = MNN.Tensor(dst.getShape(), MNN.Halide_Type_Float, np.empty(dst.getShape(), np.float32), nchw)
        dst.copyToHostTensor(host)
        return np.array(host.getNumpyData(), np.float32)

    return Runner("NCHW", run, result)


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
