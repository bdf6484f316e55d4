"""What compiled networks do with memory; also a program of its own, with count_malloc.c preloaded.

    LD_PRELOAD=count_malloc.so python allocations.py count_malloc.so count [CASE]

prints by case the allocations while it is profiled for fewer and for more rounds; with a CASE, also their
stacks. "after" or "before" in place of "count" runs all cases with buffers that end or begin at an unmapped page.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys

import numpy as np

import pyconv
from pyconv import nn
from pyconv.graph import GraphBuilder
from pyconv.nn import functional as F

FEW, MANY = 130, 180  # so many that the array of seconds is beyond numpy's cache of small blocks
# Problems by algorithm: channels in and out, groups, kernel, stride.
CONVOLUTIONS = {
    "reference": (3, 4, 1, 3, 1),
    "direct": (16, 32, 1, 3, 2),
    "planar": (2, 32, 1, 3, 1),
    "winograd_f2": (32, 32, 1, 3, 1),
    "winograd_f4": (32, 32, 1, 3, 1),
    "winograd_f6": (32, 32, 1, 3, 1),
    "implicit_gemm": (32, 48, 1, 3, 1),
    "im2col": (32, 48, 1, 3, 1),
    "pointwise": (32, 48, 1, 1, 1),
    "depthwise": (32, 32, 32, 3, 1),
    "grouped": (32, 32, 4, 3, 1),
    "separable": (4, 4, 1, 3, 1),
}
ACTIVATIONS = (
    "relu", "relu6", "leaky_relu", "elu", "sigmoid", "hard_sigmoid", "silu", "hard_swish", "tanh", "gelu",
    "gelu_tanh", "exp", "abs", "neg", "sqrt", "log", "erf", "softplus", "softsign", "mish", "selu", "celu",
    "thresholded_relu", "clip", "round", "floor", "ceil", "sign", "reciprocal", "affine_unit", "isnan", "isinf",
)  # fmt: skip


RARE = {"reshape", "identity", "reorder"}
"""Operators that are no step, or need no case of their own."""


def conv_net(algorithm):
    ic, oc, groups, kernel, stride = CONVOLUTIONS[algorithm]
    net = nn.Sequential(
        nn.Conv2d(3, ic, 1), nn.Conv2d(ic, oc, kernel, stride, kernel // 2, groups=groups), nn.ReLU()
    )
    if algorithm == "separable":
        rank_one = np.einsum("oi,h,w->oihw", np.ones((oc, ic)), [1, 2, 1], [1, 0, -1]).astype(np.float32)
        net.load_state_dict({**net.state_dict(), "1.weight": rank_one})
    return net


class Residual(nn.Module):
    """Depthwise, pools, a residual, a gate, concatenation in place and not, batch norms that stay."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.depthwise, self.wide = nn.Conv2d(32, 32, 5, padding=2, groups=32), nn.Conv2d(32, 32, 1)
        self.gate, self.strided = nn.Conv2d(32, 32, 1), nn.Conv2d(32, 32, 3, 2, 1, groups=32)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        y = F.relu6(self.wide(self.depthwise(x)) + x)
        y = y * self.gate(y.mean((2, 3), keepdims=True)).sigmoid()
        y = F.cat([self.strided(y), F.max_pool2d(y, 3, 2, 1)], 1)
        y = F.cat([y, F.avg_pool2d(y, 3, 1, 1)], 2)
        return F.softmax(self.fc(y.mean((2, 3))), 1), y


def tensor_ops(b, x):
    """Operators on a tensor (1, 8, 12, 10), each an output."""

    def constant(*values, dtype="float32"):
        return b.constant(np.array(values, dtype))

    one, weight = constant(1.5), b.constant(np.ones((8, 4, 3, 3), np.float32))
    ones = b.constant(np.ones(8, np.float32))
    row = b.node("reshape", [x], shape=[8, 120])
    made = [b.node(op, [x]) for op in ACTIVATIONS]
    made += [b.node(op, [x, one]) for op in ("add", "sub", "mul", "div", "pow", "min", "max")]
    made += [b.node("add", [x, b.constant(np.ones((1, 8, 1, 1), np.float32))])]
    test = b.node("less", [x, one])
    made += [b.node(op, [x, one]) for op in ("equal", "less_equal", "greater", "greater_equal", "fmod")]
    made += [b.node(f"logical_{op}", [test, b.node("isnan", [x])]) for op in ("and", "or", "xor")]
    made += [
        b.node("logical_not", [test]),
        test,
        b.node("where", [test, x, one]),
        b.node("cast", [x], to="int64"),
    ]
    made += [b.node("prelu", [x, b.constant(np.ones((8, 1, 1), np.float32))])]
    made += [
        b.node("transpose", [x], axes=[0, 2, 3, 1]),
        b.node("slice", [x], starts=[1], ends=[9], steps=[2], axes=[2]),
        b.node("pad", [x], pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="reflect"),
        b.node("tile", [x], repeats=[1, 1, 2, 1]),
        b.node("expand", [one], shape=[3, 4]),
        b.node("gather", [x, constant(2, 0, dtype="int64")], axis=1),
        b.node("resize", [x], sizes=[1, 8, 24, 20], mode="linear"),
        b.node("resize", [x], sizes=[1, 8, 24, 20], mode="nearest"),
        b.node("matmul", [row, b.node("transpose", [row], axes=[1, 0])]),
        b.node("lrn", [x], size=3),
        b.node("instance_norm", [x, ones, ones]),
        b.node("conv_transpose", [x, weight], stride=[2, 2]),
        b.node("normed_conv", [x, b.constant(np.ones((4, 8, 1, 1), np.float32)), None, None, ones, ones]),
        b.node("concat", [row, row], axis=0),
        b.node("softmax", [x], axis=1), b.node("log_softmax", [x], axis=-1),
        b.node("global_max_pool", [x]), b.node("global_avg_pool", [x]),
        b.node("avg_pool", [x], kernel=[2, 2]), b.node("max_pool", [x], kernel=[3, 3], stride=[2, 2]),
    ]  # fmt: skip
    made += [
        b.node(f"reduce_{kind}", [x], axes=[2, 3]) for kind in ("sum", "mean", "max", "l2", "log_sum_exp")
    ]
    made += [b.node(f"reduce_{kind}", [x]) for kind in ("l1", "prod", "min", "sum_square", "log_sum")]
    made += [
        b.node("reduce_mean", [x], axes=[1]),
        b.node("argmax", [x], axis=1),
        b.node("argmin", [x], axis=2),
    ]
    line = b.node("reshape", [x], shape=[1, 8, 120])
    made += [b.node(f"{kind}_pool_nd", [line], kernel=[3]) for kind in ("max", "avg")]
    made += [b.node("lp_pool", [line], kernel=[3]), b.node("expand", [row], shape=[2, 8, 120])]
    taps = b.constant(np.ones((8, 8, 3), np.float32))
    made += [b.node("conv_nd", [line, taps]), b.node("conv_transpose_nd", [line, taps])]
    numbers = b.node("cast", [x], to="int32")
    made += [b.node("mod", [numbers, constant(7, dtype="int32")])]
    levels = b.node("quantize_linear", [x, one], to="uint8")
    made += [levels, b.node("dequantize_linear", [levels, one])]
    return [*made, *b.nodes("top_k", [row], k=5)]


def cases():
    """Graphs, or networks and their shape, with options of compile, by name."""
    nn.manual_seed(0)
    for algorithm in CONVOLUTIONS:
        pins = {"algorithms": {"1": algorithm}}
        yield f"conv {algorithm}", conv_net(algorithm), (2, 3, 40, 40), pins
    # So many taps that a block of rows is small, and too few rows for two threads' tiles.
    yield "im2col, 11x11", nn.Sequential(nn.Conv2d(3, 8, 11)), (1, 3, 19, 19), {"algorithms": {"0": "im2col"}}
    for name, without in (("block", ()), ("block, no pass", tuple(p for p, _, _ in pyconv.passes()))):
        yield name, Residual(), (1, 3, 24, 24), {"without": without}
    block = (
        nn.Conv2d(16, 96, 1),
        nn.ReLU6(),
        nn.Conv2d(96, 96, 3, 1, 1, groups=96),
        nn.ReLU6(),
        nn.Conv2d(96, 16, 1),
    )
    side = 8 + int((pyconv._core.cpu_info()["l2_bytes"] / (2 * 96)) ** 0.5)  # so wide that it is fused
    yield "inverted residual", nn.Sequential(*block), (1, 16, side, side), {}
    yield "mobilenet_v2", pyconv.zoo.mobilenet_v2(width=0.5), (1, 3, 112, 112), {}
    yield "efficientnet_b0", pyconv.zoo.efficientnet_b0(), (1, 3, 192, 192), {}
    yield "shufflenet_v2", pyconv.zoo.shufflenet_v2(width=0.5), (1, 3, 64, 64), {}
    yield "lenet5", pyconv.zoo.lenet5(pretrained=True), (1, 1, 28, 28), {}
    yield "pictures", nn.Conv2d(3, 8, 3), (1, 3, 16, 16), {"image_input": "imagenet"}
    builder = GraphBuilder()
    builder.outputs(tensor_ops(builder, builder.input("x", (1, 8, 12, 10))))
    yield "tensor operators", builder, None, {}


def compiled():
    for name, net, shape, options in cases():
        for accuracy in ("fast", "exact"):
            for threads in (1, 2):
                try:
                    model = pyconv.compile(net, shape, accuracy=accuracy, threads=threads, **options)
                except ValueError as error:
                    if "refuses" not in str(error):
                        raise
                    continue  # winograd, in exact mode
                yield f"{name}, {accuracy}, {threads}", model


def inputs(model, seed=1):
    generator = np.random.default_rng(seed)
    values = [model.graph.value(i) for i in model.graph.inputs]
    return [(100 * generator.random(shape)).astype(dtype) for _, dtype, shape, _ in values]


def count(counter, only):
    """Allocations of a profile of `FEW` and of `MANY` rounds, by case."""
    counter.allocations.restype = ctypes.c_long
    gc.disable()
    found = {}
    for name, model in compiled():
        if only not in (None, name):
            continue
        arrays, counts = inputs(model), {}
        for rounds in (FEW, MANY, FEW, MANY):  # the first two warm up
            before = counter.allocations()
            if only is not None and len(counts) == 2 and rounds == MANY:
                counter.print_stacks(40)
            model._core.profile(arrays, rounds)
            counter.print_stacks(0)
            counts[rounds] = counter.allocations() - before
        found[name] = [counts[FEW], counts[MANY]]
    return found


def run_guarded(counter, side):
    """Compiles and runs with arenas and packed weights at an unmapped page; what ran."""
    counter.guard({"after": 1, "before": 2}[side])
    ran = []
    for name, model in compiled():
        print(name, file=sys.stderr, flush=True)
        model._core.run(inputs(model), None)
        ran.append(name)
    counter.guard(0)
    return ran


if __name__ == "__main__":
    library, task = ctypes.CDLL(sys.argv[1]), sys.argv[2]
    rest = sys.argv[3:]
    print(
        json.dumps(
            count(library, rest[0] if rest else None) if task == "count" else run_guarded(library, task)
        )
    )
