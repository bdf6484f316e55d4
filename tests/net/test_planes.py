"""Planes, the layout of some convolutions, go on to whoever takes them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import pyconv
from pyconv import nn
from pyconv.nn import functional as F


def bits(array):
    return np.ascontiguousarray(array).view(np.uint32)


def noise(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("pool", ["avg", "max", "narrow", "none"])
def test_planes_stay_planes_by_way_of_pools(pool):
    """What a convolution makes channels first goes so to its one reader, or out, with the same bits."""
    pools = {
        "avg": lambda x: F.avg_pool2d(x, 2),
        "max": lambda x: F.max_pool2d(x, 3, stride=2, padding=1),
        "narrow": lambda x: F.max_pool2d(x, 4, stride=4),  # a stride that pools over planes don't take
        "none": lambda x: x,
    }

    class Narrow(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 3, 5, padding=2), nn.Conv2d(3, 40, 3)
            self.last = nn.Conv2d(40, 1, 3)

        def forward(self, x):
            return self.last(self.conv2(pools[pool](F.tanh(self.conv1(x)))))

    nn.manual_seed(3)
    net, x = Narrow(), noise(2, 1, 30, 34)
    want = None
    for first, last, threads in product(("planar", "im2col"), ("planar", "im2col"), (1, 2)):
        model = pyconv.compile(
            net, x.shape, accuracy="exact", threads=threads, algorithms={"conv1": first, "last": last}
        )
        got = model(x)
        want = got if want is None else want
        np.testing.assert_array_equal(bits(got), bits(want))
        steps = model.describe()["steps"]
        kept = first == "planar" and pool != "narrow"
        assert steps[0]["outputs"][0]["layout"] == ("row_major" if kept else "nhwc")
        if pool in ("avg", "max"):
            assert ("nchw" in steps[1]["kernels"]) == kept
        # One channel lies the same either way.
        assert [s["op"] for s in steps].count("reorder") == 0


def test_planes_with_other_readers_are_converted_once():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.a = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 8, 3, padding=1)
            self.b, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 1)

        def forward(self, x):
            x = self.conv1(x)
            y = self.last(self.a(x) + self.b(x))
            return y, x

    nn.manual_seed(4)
    net, x = Branches(), noise(1, 1, 12, 17)
    pins = dict.fromkeys(("conv1", "last"), "planar")
    got = pyconv.compile(net, x.shape, accuracy="exact", algorithms=pins)
    plain = pyconv.compile(net, x.shape, accuracy="exact", algorithms=dict.fromkeys(pins, "im2col"))
    for one, other in zip(got(x), plain(x)):
        np.testing.assert_array_equal(bits(one), bits(other))
    layouts = {s["name"]: s["outputs"][0]["layout"] for s in got.describe()["steps"]}
    assert layouts["conv1"] == "nhwc" and layouts["last"] == "row_major"


def test_a_long_chain_of_pools_compiles_and_means_what_it_did():
    """Only a few readers are followed: thousands would be followed again from each other's place, and deep."""

    class Chain(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.pool = nn.Conv2d(1, 3, 3, padding=1), nn.MaxPool2d(3, stride=1, padding=1)

        def forward(self, x):
            x = self.conv(x)
            for _ in range(20000):
                x = self.pool(x)
            return x

    x = np.random.default_rng(0).standard_normal((1, 1, 8, 8), dtype=np.float32)
    net = Chain()
    first = pyconv.compile(nn.Sequential(net.conv), x.shape)(x)
    want = np.broadcast_to(first.max((2, 3), keepdims=True), first.shape)
    np.testing.assert_array_equal(pyconv.compile(net, x.shape)(x), want)
