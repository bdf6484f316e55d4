"""OpenVINO, CPU device in fp32: the source and result as NCHW, and as NHWC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from ..problems import Array, Problem
from . import Runner

NAME = "openvino"
_OPTIONS = {
    "INFERENCE_NUM_THREADS": 1,
    "NUM_STREAMS": 1,
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_PRECISION_HINT": "f32",
    "ENABLE_CPU_PINNING": False,
}


def version() -> str:
    return str(ov.__version__).split("-")[0]


def runners(p: Problem, src: Array, weights: Array, bias: Array) -> Iterator[Runner]:
    core = ov.Core()
    for how in ("NCHW", "NHWC"):
        compiled = core.compile_model(_model(p, weights, bias, how == "NHWC"), "CPU", _OPTIONS)
        yield _runner(how, compiled, src)


def network_runners(folder: Path, src: Array, threads: int) -> Iterator[Runner]:
    """The network of `network.onnx` with the latency hint, in fp32, as one stream."""
    core = ov.Core()
    model = core.read_model(str(folder / "network.onnx"))
    yield _runner("NCHW", core.compile_model(model, "CPU", {**_OPTIONS, "INFERENCE_NUM_THREADS": threads}), src)


def _model(p: Problem, weights: Array, bias: Array, nhwc: bool) -> ov.Model:
    source = ops.parameter([p.mb, p.ic, p.ih, p.iw], np.float32, "src")
    strides, dilations = [p.sh, p.sw], [p.dh, p.dw]
    before, after = [p.pt, p.pl], [p.pb, p.pr]
    if p.g == 1:
        conv = ops.convolution(source, ops.constant(weights), strides, before, after, dilations)
    else:
        grouped = weights.reshape(p.g, p.oc // p.g, *weights.shape[1:])
        conv = ops.group_convolution(source, ops.constant(grouped), strides, before, after, dilations)
    model = ov.Model([ops.add(conv, ops.constant(bias.reshape(1, -1, 1, 1)))], [source], "conv")
    if not nhwc:
        return model
    layouts = ov.preprocess.PrePostProcessor(model)
    layouts.input().tensor().set_layout(ov.Layout("NHWC"))
    layouts.input().model().set_layout(ov.Layout("NCHW"))
    layouts.output().tensor().set_layout(ov.Layout("NHWC"))
    layouts.output().model().set_layout(ov.Layout("NCHW"))
    return layouts.build()


def _runner(how: str, compiled: ov.CompiledModel, src: Array) -> Runner:
    nhwc = how == "NHWC"
    source = np.ascontiguousarray(src.transpose(0, 2, 3, 1)) if nhwc else src
    dst = np.empty(tuple(compiled.output(0).shape), np.float32)
    request = compiled.create_infer_request()
    tensors = ov.Tensor(source, shared_memory=True), ov.Tensor(dst, shared_memory=True)
    request.set_input_tensor(tensors[0])
    request.set_output_tensor(tensors[1])
    alive = source, dst, tensors

    def run() -> None:
        request.start_async()
        request.wait()

    def result() -> Array:
        result = alive[1]
        return result.transpose(0, 3, 1, 2) if nhwc else result

    return Runner(how, run, result)
