"""The ONNX package's `light_*` networks: their files, and the same graphs with weights that tell layers apart."""

from __future__ import annotations

import os

import numpy as np
import onnx
from onnx import helper, numpy_helper

FOLDER = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "light")
NAMES = (
    "bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet",
    "vgg19", "zfnet512",
)  # fmt: skip


def path_of(name):
    return os.path.join(FOLDER, f"light_{name}.onnx")


def expected(name):
    tensor = onnx.TensorProto()
    with open(os.path.join(FOLDER, f"light_{name}_output_0.pb"), "rb") as file:
        tensor.ParseFromString(file.read())
    return numpy_helper.to_array(tensor)


def input_of(model):
    known = {i.name for i in model.graph.initializer}
    (info,) = (i for i in model.graph.input if i.name not in known)
    return info.name, tuple(d.dim_value for d in info.type.tensor_type.shape.dim)


def with_random_weights(name, seed=0):
    """The model with every constant weight drawn anew, and its logits instead of their softmax."""
    model = onnx.load(path_of(name))
    rng = np.random.default_rng(seed)
    shapes = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    positive = {n.input[i] for n in model.graph.node if n.op_type == "BatchNormalization" for i in (1, 4)}
    kept, drawn = [], []
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = tuple(int(s) for s in shapes[node.input[0]])
        if node.output[0] in positive:
            values = rng.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            values = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        else:
            values = rng.standard_normal(shape) * 0.1
        drawn.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
    if kept[-1].op_type == "Softmax":
        logits = kept.pop().input[0]
        model.graph.output[0].CopyFrom(helper.make_empty_tensor_value_info(logits))
        model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(drawn)
    return model
