"""A Conv as an ONNX model of one node, for the engines that read ONNX."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper, numpy_helper

from ..problems import Array, Problem


def conv_model(p: Problem, weights: Array, bias: Array) -> bytes:
    node = helper.make_node(
        "Conv",
        ["src", "weights", "bias"],
        ["dst"],
        group=p.g,
        kernel_shape=[p.kh, p.kw],
        strides=[p.sh, p.sw],
        dilations=[p.dh, p.dw],
        pads=[p.pt, p.pl, p.pb, p.pr],
    )
    float32 = TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "conv",
        [helper.make_tensor_value_info("src", float32, [p.mb, p.ic, p.ih, p.iw])],
        [helper.make_tensor_value_info("dst", float32, [p.mb, p.oc, p.oh, p.ow])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
