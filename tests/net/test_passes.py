"""Passes that make one step of several nodes, one by one; the inverted residual has a file of its own."""

from __future__ import annotations

import numpy as np
import pytest

import pyconv
from pyconv import nn
from pyconv.graph import GraphBuilder
from pyconv.nn import functional as F
from support import error_bound as bound


def bits(array):
    return np.ascontiguousarray(array).view(np.uint32)


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def test_pins_on_parts_of_a_block_keep_it_apart_and_unknown_names_are_refused():
    net = nn.Sequential(
        nn.Conv2d(16, 96, 1), nn.ReLU6(), nn.Conv2d(96, 96, 3, 1, 1, groups=96), nn.Conv2d(96, 16, 1)
    )
    shape = (1, 16, 112, 112)
    ops = [s["op"] for s in pyconv.compile(net, shape).describe()["steps"]]
    assert "inverted_residual" in ops or pyconv._core.cpu_info()["l2_bytes"] > 4 << 20
    model = pyconv.compile(net, shape, algorithms={"2": "direct"})
    ran = {s["name"]: s["algorithm"] for s in model.describe()["steps"]}
    assert ran["2"] == "direct" and "0" in ran and "3" in ran
    with pytest.raises(ValueError, match="algorithms: there is no node 'nowhere'"):
        pyconv.compile(net, shape, algorithms={"nowhere": "direct"})
    with pytest.raises(ValueError, match="algorithms: expected the name of a convolution, got '1'"):
        pyconv.compile(net, shape, algorithms={"1": "direct"})


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("swap", [False, True])
def test_squeeze_and_excitation_scales_inside_the_convolution(residual, swap):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate, self.project = nn.Conv2d(40, 40, 1), nn.Conv2d(40, 24, 1)
            self.side = nn.Conv2d(40, 24, 1)

        def forward(self, x):
            gate = self.gate(x.mean((2, 3), keepdims=True)).sigmoid()
            y = self.project(gate * x if swap else x * gate)
            return F.silu(y + self.side(x)) if residual else F.relu6(y)

    nn.manual_seed(4)
    net = Net()
    x = noise(3, 40, 71, 73)
    want = pyconv.compile(net, x.shape, accuracy="exact", without=["fuse_scale"])(x)
    for options in ({}, {"threads": 2}, {"max_isa": "scalar"}):
        model = pyconv.compile(net, x.shape, accuracy="exact", **options)
        np.testing.assert_array_equal(bits(model(x)), bits(want), str(options))
    # Fast: the weights are scaled instead, which rounds otherwise, and sigmoid and silu are approximated.
    s = net.state_dict()
    start = bound.exact(x)
    gate = bound.conv(bound.global_mean(start), s["gate.weight"], s["gate.bias"])
    gate = bound.function(gate, pyconv.sigmoid(gate.value), 0.25, 8)
    y = bound.conv(bound.mul(start, gate), s["project.weight"], s["project.bias"])
    if residual:
        y = bound.add(y, bound.conv(start, s["side.weight"], s["side.bias"]))
    error = bound.function(y, want, 1.1 if residual else 1.0, 8).error
    for threads in (1, 2):
        got = pyconv.compile(net, x.shape, threads=threads)(x)
        assert (np.abs(got - want) <= 2 * error).all()
        # Worst cases do not add up; this one lets a wrong scale show.
        assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()
    if pyconv._core.cpu_info()["l2_bytes"] <= 1 << 20:
        (step,) = [s for s in model.describe()["steps"] if s["op"] == "scaled_conv"]
        ((name, accepted, _, cost, _),) = step["candidates"]
        assert (name, accepted) == (step["algorithm"], True)
        assert cost >= step["macs"] / 8  # two vectors of four a cycle, which the baseline has


@pytest.mark.parametrize("rectified", [False, True])
def test_a_batch_norm_in_front_of_a_pointwise_convolution_is_done_by_it(rectified):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.conv, self.side = (
                nn.BatchNorm2d(40, 1e-3),
                nn.Conv2d(40, 24, 1),
                nn.Conv2d(40, 24, 1),
            )

        def forward(self, x):
            y = self.norm(x)
            return F.relu6(self.conv(F.relu(y) if rectified else y) + self.side(x))

    nn.manual_seed(4)
    net = Net()
    rng = np.random.default_rng(1)
    values = {
        name: rng.standard_normal(v.shape, np.float32) for name, v in net.state_dict().items() if v.shape
    }
    values["norm.running_var"] = np.abs(values["norm.running_var"])
    net.load_state_dict({**net.state_dict(), **values})
    x = noise(3, 40, 71, 73)
    for accuracy in ("exact", "fast"):
        want = pyconv.compile(net, x.shape, accuracy=accuracy, without=["fuse_norm"])(x)
        for options in ({}, {"threads": 2}, {"max_isa": "scalar"}):
            if accuracy == "fast" and "max_isa" in options:
                continue
            model = pyconv.compile(net, x.shape, accuracy=accuracy, **options)
            np.testing.assert_array_equal(bits(model(x)), bits(want), f"{accuracy} {options}")
    if pyconv._core.cpu_info()["l2_bytes"] <= 1 << 20:
        (step,) = [s for s in model.describe()["steps"] if s["op"] == "normed_conv"]
        assert (step["algorithm"], step["absorbed"]) == ("normed_pointwise", ["norm"])
        assert step["candidates"][0][3] >= step["macs"] / 32


@pytest.mark.parametrize(
    "spoil, message",
    [
        ({4: None}, "norm_mean: expected one"),
        ({5: np.ones(3, np.float32)}, r"norm_var: expected shape \(4,\), got \(3,\)"),
        ({1: np.ones((2, 4, 3, 3), np.float32)}, r"weight: expected shape \(2, 4, 1, 1\)"),
    ],
)
def test_a_normed_convolution_says_what_is_wrong(spoil, message):
    numbers = [np.ones((2, 4, 1, 1), np.float32), None, None, *[np.ones(4, np.float32)] * 4]
    for at, value in spoil.items():
        numbers[at - 1] = value
    builder = GraphBuilder()
    inputs = [builder.input("x", (1, 4, 5, 5))]
    inputs += [None if value is None else builder.constant(value) for value in numbers]
    with pytest.raises(ValueError, match=message):
        builder.node("normed_conv", inputs)


def test_zeros_around_an_image_become_padding():
    builder = GraphBuilder()
    x = builder.input("x", (2, 3, 9, 8))
    weight = builder.constant(noise(4, 3, 3, 3))
    around = {"pads": [0, 0, 1, 0, 0, 0, 2, 3], "mode": "constant", "value": 0.0}
    zeros = builder.node("pad", [x], **around)
    ones = builder.node("pad", [x], **{**around, "value": 1.0})
    conv = {"stride": [2, 1], "padding": [0, 1, 1, 0]}
    builder.outputs([builder.node("conv", [p, weight], **conv) for p in (zeros, ones)])
    data = noise(2, 3, 9, 8)
    want = pyconv.compile(builder, accuracy="exact", without=["fold_padding"])(data)
    model = pyconv.compile(builder, accuracy="exact")
    for y, expected in zip(model(data), want):
        np.testing.assert_array_equal(bits(y), bits(expected))
    assert [s["op"] for s in model.describe()["steps"]].count("pad") == 1


def test_what_nobody_reads_keeps_no_batch_norm_out_of_a_convolution():
    builder = GraphBuilder()
    x = builder.input("x", (1, 3, 9, 8))
    y = builder.node("conv", [x, builder.constant(noise(4, 3, 3, 3))])
    builder.node("relu", [y])  # read by nobody
    numbers = [builder.constant(np.float32([0.3, 0.7, 1.1, 1.3]) * factor) for factor in (1, 2, 3, 4)]
    builder.outputs([builder.node("batch_norm", [y, *numbers])])
    data = noise(1, 3, 9, 8)
    want = pyconv.compile(builder, accuracy="exact")(data)
    got = pyconv.compile(builder, accuracy="exact", without=["fold_constants"])(data)
    np.testing.assert_array_equal(bits(got), bits(want))
