"""What explain says against figures that are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

import pyconv
from pyconv import nn, zoo
from pyconv.explain import explain
from pyconv.graph import GraphBuilder
from pyconv.nn import functional as F
from pyconv.nn.module import trace
from pyconv.receptive_field import receptive_fields

ARAUJO = "Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019"


def empty(net):
    """Zeros for weights, which the system hands out without touching memory."""
    for module in net.modules():
        for parameter in (*module._parameters.values(), *module._buffers.values()):
            if parameter is not None:
                parameter._value = np.zeros(parameter.shape, parameter.dtype)
    return net


def field(graph, id=None):
    found = receptive_fields(graph)[graph.outputs[0] if id is None else id]
    return [float(s) for s in found.size], [float(j) for j in found.jump]


def of(build, *shape):
    """The field behind what `build` makes of an input."""
    builder = GraphBuilder()
    builder.outputs([build(builder, builder.input("x", shape))])
    return field(builder.graph)


def test_three_3x3_see_7x7():
    three = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(3)))
    layers = explain(pyconv.compile(three, (1, 1, 9, 9)))["layers"]
    assert [layer["receptive_field"]["size"] for layer in layers] == [[3, 3], [5, 5], [7, 7]]


# ResNets with the stride in the 1x1 convolution, as in their paper; the size before global pooling.
@pytest.mark.parametrize(
    "name, options, size",
    [
        ("vgg16", {}, 212),
        ("mobilenet_v1", {}, 315),
        ("resnet50", {"stride_in_1x1": True}, 483),
        ("resnet101", {"stride_in_1x1": True}, 1027),
        ("inception_v3", {}, 1311),
    ],
)
def test_published_sizes(name, options, size):
    graph = trace(empty(zoo.create(name, **options)), {"input": zoo.entry(name).input_shape}).graph
    fields = receptive_fields(graph)
    windows = ("conv", "max_pool", "avg_pool", "concat")
    last = [node["outputs"][0] for node in graph.nodes() if node["op"] in windows][-1]
    assert max(fields[last].size) == size, ARAUJO
    assert set(fields[last].jump) == {32}


def test_passes_change_no_field():
    net = zoo.mobilenet_v2()
    model = pyconv.compile(net, (1, 3, 224, 224))
    before = pyconv.compile(net, (1, 3, 224, 224), without=[name for name, _, _ in pyconv.passes()])
    assert "inverted_residual" in {layer["op"] for layer in explain(model)["layers"]}

    def pooled(model):
        steps = explain(model)["layers"]
        at = next(i for i, layer in enumerate(steps) if layer["op"] == "global_avg_pool")
        return steps[at - 1]["receptive_field"], steps[at]["receptive_field"]

    assert pooled(model) == pooled(before)
    size = jump = 1
    for stride in (2, 1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1):  # of the 3x3 convolutions
        size, jump = size + 2 * jump, stride * jump
    assert pooled(model)[0] == {"size": [size] * 2, "jump": [jump] * 2}


def test_strides_pools_and_dilations():
    net = nn.Sequential(
        nn.Conv2d(1, 1, (3, 5), stride=(2, 1)), nn.MaxPool2d(3, 2), nn.Conv2d(1, 1, 3, dilation=2)
    )
    assert field(trace(net, {"x": (1, 1, 40, 40)}).graph) == ([23.0, 15.0], [4.0, 2.0])


def test_the_largest_of_several_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, (1, 7), padding=(0, 3))

        def forward(self, x):
            return F.cat([self.a(x) + x, self.b(x)], 1)

    assert field(trace(Two(), {"x": (1, 1, 9, 9)}).graph)[0] == [3.0, 7.0]


def test_everything_is_seen_behind_pooling_and_linear_layers():
    for end in ([nn.AdaptiveAvgPool2d(1)], [nn.Flatten(), nn.Linear(2 * 7 * 5, 3)]):
        net = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), *end)
        assert field(trace(net, {"x": (1, 1, 15, 11)}).graph) == ([15.0, 11.0], [0.0, 0.0])
    means = of(lambda b, x: b.node("reduce_mean", [x], axes=[3], keepdims=0), 1, 2, 6, 5)
    assert means == ([1.0, 5.0], [1.0, 0.0])


def test_axes_are_followed():
    def shuffled(b, x):
        x = b.node("reshape", [b.node("max_pool", [x], kernel=[3, 1])], shape=[1, 2, 2, 4, 5])
        return b.node("reshape", [b.node("transpose", [x], axes=[0, 2, 1, 3, 4])], shape=[1, 4, 4, 5])

    assert of(shuffled, 1, 4, 12, 5) == ([3.0, 1.0], [3.0, 1.0])

    def channels_last(b, x):
        x = b.node("transpose", [x], axes=[0, 3, 1, 2])
        return b.node("max_pool", [x], kernel=[2, 4])

    assert of(channels_last, 1, 8, 12, 3) == ([2.0, 4.0], [2.0, 4.0])
    assert of(lambda b, x: b.node("slice", [x], starts=[0], ends=[9], steps=[2], axes=[2]), 1, 1, 9, 9)[
        1
    ] == [2, 1]


def test_upsampling_brings_outputs_closer():
    def up(b, x):
        weight = b.constant(np.ones((1, 1, 4, 4), np.float32))
        x = b.node("conv_transpose", [b.node("max_pool", [x], kernel=[2, 2]), weight], stride=[2, 2])
        return b.node("max_pool", [x], kernel=[3, 3], stride=[1, 1])

    assert of(up, 1, 1, 16, 16) == ([6.0, 6.0], [1.0, 1.0])  # 2, then 4 of 2 taps, then two pixels more


def net():
    nn.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1, groups=32), nn.Conv2d(32, 64, 1), nn.ReLU6(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def test_the_dict_is_plain_and_complete():
    model = pyconv.compile(net(), (1, 3, 20, 20))
    found = json.loads(json.dumps(explain(model)))
    assert list(found) == [
        "version", "inputs", "outputs", "options", "isa", "layers", "rewrites", "refused", "dearer", "totals",
    ]  # fmt: skip
    for layer in found["layers"]:
        assert list(layer) == [
            "name", "op", "absorbed", "residual", "activation", "output", "parameters", "macs", "bytes",
            "receptive_field", "algorithm", "kernels", "threads", "problem", "memory", "workspace", "candidates",
        ]  # fmt: skip
    assert found["inputs"] == [{"name": "input", "dtype": "float32", "shape": [1, 3, 20, 20]}]
    assert {r["pass"] for r in found["rewrites"]} == {"fold_batch_norm", "fuse_activation"}
    totals = found["totals"]
    macs = 400 * 32 * 27 + 400 * 32 * 9 + 400 * 64 * 32 + 100 * 64 * 64 * 9 + 640
    parameters = (27 + 1) * 32 + (9 + 1) * 32 + (32 + 1) * 64 + (64 * 9 + 1) * 64 + 650
    assert (totals["macs"], totals["parameters"]) == (macs, parameters)
    floats = 400 * (32 + 32 + 64) + 100 * (64 + 64) + 64 + 10
    assert totals["activation_bytes"] == 4 * floats
    assert totals["arena_bytes"] == model.arena_bytes


def test_layers_say_what_they_move_and_where():
    found = explain(pyconv.compile(net(), (1, 3, 20, 20)))
    first = found["layers"][0]
    assert first["absorbed"] == ["1", "2"] and first["activation"] == "relu"
    assert first["bytes"]["read"] == 4 * 1200 and first["bytes"]["written"] == 4 * 400 * 32
    assert first["receptive_field"] == {"size": [3, 3], "jump": [1, 1]}
    assert found["layers"][-1]["memory"]["space"] == "output"
    for index, layer in enumerate(found["layers"]):
        memory = layer["memory"]
        assert memory["first"] <= index <= memory["last"]
        if memory["space"] == "arena":
            assert memory["offset"] + memory["bytes"] <= found["totals"]["arena_bytes"]


def test_refusals_and_costs_are_gathered():
    found = explain(pyconv.compile(net(), (1, 3, 20, 20)))
    convs = [layer for layer in found["layers"] if layer["op"] == "conv"]
    for layer in convs:
        chosen = [c for c in layer["candidates"] if c["algorithm"] == layer["algorithm"]]
        assert [c["relative_cost"] for c in chosen] == [1.0]
        # The default is the cheapest.
        assert all(c["relative_cost"] >= 1 for c in layer["candidates"] if c["accepted"])
    once = {(a, name) for g in found["refused"] for a in g["algorithms"] for name in g["layers"]}
    each = {
        (c["algorithm"], layer["name"]) for layer in convs for c in layer["candidates"] if not c["accepted"]
    }
    assert once == each and sum(len(g["algorithms"]) * len(g["layers"]) for g in found["refused"]) == len(
        each
    )
    named = next(g for g in found["refused"] if "separable" in g["algorithms"])
    assert named["reasons"] == ["taken only where it is named"] and len(named["layers"]) == len(convs)
    for group in found["dearer"]:
        assert 1 <= group["least"] <= group["median"] <= group["most"]


def test_a_pinned_algorithm_is_what_costs_are_relative_to():
    model = pyconv.compile(nn.Conv2d(16, 16, 3), (1, 16, 12, 12), algorithms={"conv_0": "im2col"})
    (layer,) = explain(model)["layers"][:1]
    assert layer["algorithm"] == "im2col"
    assert min(c["relative_cost"] for c in layer["candidates"] if c["accepted"]) < 1


def test_profile():
    found = explain(pyconv.compile(net(), (1, 3, 20, 20)), profile=True, rounds=3, peak_gflops=1e6)
    measured = [layer["profile"] for layer in found["layers"]]
    assert all(0 < p["best"] <= p["seconds"] for p in measured)
    assert measured[0]["peak_share"] == pytest.approx(measured[0]["gflops"] * 1e-6)
    assert found["totals"]["seconds"] == sum(p["seconds"] for p in measured)


def test_concatenation_in_place_and_reorders():
    class Cat(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, x):
            return F.cat([self.a(x), self.b(x)], 1)

    layers = explain(pyconv.compile(Cat(), (1, 3, 8, 8)))["layers"]
    by_op = {layer["op"]: layer for layer in layers}
    assert by_op["conv"]["memory"]["pixel_stride"] == 12
    assert by_op["reorder"]["receptive_field"]["size"] == [3, 3]
