"""The inverted residual as one step: the bits of its three convolutions."""

from __future__ import annotations

import numpy as np
import pytest

import pyconv
from pyconv import nn
from pyconv.nn import functional as F


class Block(nn.Module):
    def __init__(self, ic, mid, oc, kernel, stride, padding, act, last, residual):
        super().__init__()
        if mid != ic:
            self.expand = nn.Conv2d(ic, mid, 1)
        self.depthwise = nn.Conv2d(mid, mid, kernel, stride, padding, groups=mid, bias=False)
        self.project = nn.Conv2d(mid, oc, 1)
        self.widens, self.act, self.last, self.residual = mid != ic, act, last, residual

    def forward(self, x):
        y = self.act(self.expand(x)) if self.widens else x
        y = self.project(self.act(self.depthwise(y)))
        if self.residual:
            y = y + x
        return self.last(y) if self.last else y


CASES = {
    "mobilenet_v2": (16, 96, 24, 3, 2, 1, F.relu6, None, False),
    "residual": (24, 144, 24, 3, 1, 1, F.relu6, None, True),
    "residual then relu": (24, 96, 24, 5, 1, 2, F.relu, F.relu, True),
    "silu, asymmetric, 5x5": (12, 72, 20, 5, 2, (1, 2, 1, 2), F.silu, F.silu, False),
    "no expansion": (128, 128, 40, 3, 1, 1, F.relu, F.hardswish, False),
    "odd sizes": (7, 131, 17, (7, 3), (1, 2), (3, 1), F.leaky_relu, None, False),
    "unpadded": (8, 100, 8, 3, 1, 0, F.relu6, F.relu6, False),
}


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("shape", [(1, 113, 111), (2, 112, 130)], ids=str)
def test_bits_are_those_of_the_three_convolutions(case, shape):
    nn.manual_seed(7)
    net = Block(*CASES[case])
    x = np.random.default_rng(0).standard_normal((shape[0], CASES[case][0], *shape[1:]), np.float32)
    plain = pyconv.compile(net, x.shape, accuracy="exact", without=["fuse_inverted_residual"])
    want = plain(x)
    for options in ({}, {"threads": 2}, {"threads": 3, "max_isa": "avx2"}, {"max_isa": "scalar"}):
        if options.get("max_isa") == "scalar" and shape[0] > 1:
            continue
        model = pyconv.compile(net, x.shape, accuracy="exact", **options)
        np.testing.assert_array_equal(model(x).view(np.uint32), want.view(np.uint32), str(options))
    l2 = pyconv._core.cpu_info()["l2_bytes"]
    if 4 * x.shape[2] * x.shape[3] * CASES[case][1] > 2 * l2:
        assert [s["op"] for s in model.describe()["steps"]].count("inverted_residual") == 1
        assert not net.widens or model.arena_bytes < plain.arena_bytes / 1.2
    if net.act is not F.silu:  # else approximated, but as in the three convolutions
        np.testing.assert_array_equal(pyconv.compile(net, x.shape)(x), want)  # but for the sign of 0
    if net.act is F.silu:
        apart = pyconv.compile(net, x.shape, without=["fuse_inverted_residual"])(x)
        np.testing.assert_array_equal(pyconv.compile(net, x.shape)(x), apart)


def test_inside_a_concatenation():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = Block(*CASES["residual"]), Block(*CASES["residual"])

        def forward(self, x):
            y = F.cat([self.a(x), x], 1)
            return F.cat([self.b(x), y], 1) * 2.0

    nn.manual_seed(7)
    net = Net()
    x = np.random.default_rng(0).standard_normal((2, 24, 100, 120), np.float32)
    want = pyconv.compile(net, x.shape, accuracy="exact", without=["fuse_inverted_residual"])(x)
    got = pyconv.compile(net, x.shape, accuracy="exact", threads=2)(x)
    np.testing.assert_array_equal(got.view(np.uint32), want.view(np.uint32))


@pytest.mark.parametrize("stride", [1, 2])
def test_widening_and_depthwise_alone_before_a_squeeze(stride):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.expand, self.gate = nn.Conv2d(12, 96, 1), nn.Conv2d(96, 96, 1)
            self.depthwise = nn.Conv2d(96, 96, 5, stride, 2, groups=96)

        def forward(self, x):
            y = F.silu(self.depthwise(F.silu(self.expand(x))))
            return y * self.gate(y.mean((2, 3), keepdims=True)).sigmoid()

    nn.manual_seed(7)
    net = Net()
    x = np.random.default_rng(0).standard_normal((2, 12, 113, 111), np.float32)
    want = pyconv.compile(net, x.shape, accuracy="exact", without=["fuse_inverted_residual"])(x)
    for threads in (1, 2):
        model = pyconv.compile(net, x.shape, accuracy="exact", threads=threads)
        np.testing.assert_array_equal(model(x).view(np.uint32), want.view(np.uint32))


@pytest.mark.parametrize("isa", ["avx2", "avx512"])
def test_the_cost_of_a_block_is_estimated(isa):
    """Never below the FMA peak, and in proportion to its rows but for what tiles leave over."""
    if isa not in pyconv._core.probe_isas():
        pytest.skip(f"this CPU has no {isa}")
    nn.manual_seed(7)
    net = Block(*CASES["residual"])
    lanes = {"avx2": 8, "avx512": 16}[isa]
    costs = []
    for rows in (112, 224):
        model = pyconv.compile(net, (1, 24, rows, 112), max_isa=isa)
        (step,) = [s for s in model.describe()["steps"] if s["op"] == "inverted_residual"]
        ((name, accepted, _, cost, workspace),) = step["candidates"]
        assert (name, accepted, workspace) == (step["algorithm"], True, step["workspace_bytes"])
        assert cost >= step["macs"] / (2 * lanes)
        costs.append(cost)
    assert 1.9 * costs[0] < costs[1] < 2.1 * costs[0]
