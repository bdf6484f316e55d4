"""Sums that are written where the residual lies."""

from __future__ import annotations

import numpy as np
import pytest

import pyconv
from pyconv import nn
from pyconv.nn import functional as F


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


class Sums(nn.Module):
    """Two sums: the first summand is read for the last time there, the second again behind it."""

    def __init__(self, channels: int, kernel: int, groups: int = 1) -> None:
        super().__init__()
        self.top = nn.Conv2d(3, channels, 3, padding=1)
        self.left = nn.Conv2d(channels, 8, 1)
        self.first = nn.Conv2d(8, channels, kernel, padding=kernel // 2, groups=groups)
        self.right = nn.Conv2d(channels, 8, 1)
        self.second = nn.Conv2d(8, channels, kernel, padding=kernel // 2, groups=groups)

    def forward(self, x):
        x = self.top(x)
        y = F.relu(self.first(self.left(x)) + x)
        return F.silu(self.second(self.right(y)) + y) * y


@pytest.mark.parametrize("channels", [8, 24, 40, 83])
@pytest.mark.parametrize(
    "algorithm", ["reference", "direct", "im2col", "implicit_gemm", "planar", "winograd_f2", "winograd_f4"]
)
def test_a_sum_may_take_the_place_of_the_summand_that_ends_with_it(algorithm, channels):
    net, pins = Sums(channels, 3), {"first": algorithm, "second": algorithm}
    x = noise(2, 3, 17, 14)
    for threads in (1, 2):
        model = pyconv.compile(net, x.shape, algorithms=pins, threads=threads)
        apart = pyconv.compile(net, x.shape, algorithms=pins, threads=threads, without=["fuse_residual"])
        for _ in range(2):
            np.testing.assert_array_equal(model(x), apart(x))
        first, second = (
            [s for s in model.describe()["steps"] if s["name"] == n][0] for n in ("first", "second")
        )
        assert second["inputs"][3]["buffer"] != second["outputs"][0]["buffer"]
        if algorithm in ("direct", "im2col", "winograd_f2", "winograd_f4"):
            assert first["inputs"][3]["buffer"] == first["outputs"][0]["buffer"]


@pytest.mark.parametrize("kernel, groups", [(1, 1), (3, 8), (5, 4)])
def test_a_sum_in_place_or_not_of_other_convolutions(kernel, groups):
    net, x = Sums(40, kernel, groups), noise(1, 3, 19, 9)
    apart = pyconv.compile(net, x.shape, without=["fuse_residual"], accuracy="exact")
    np.testing.assert_array_equal(pyconv.compile(net, x.shape, accuracy="exact")(x), apart(x))


def test_a_sum_over_blocks_of_depth_is_not_in_place():
    """Their sums are gathered where the output lies, before the summand is read."""

    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.top, self.wide, self.deep = (
                nn.Conv2d(3, 64, 1),
                nn.Conv2d(64, 2304, 1),
                nn.Conv2d(2304, 64, 1),
            )

        def forward(self, x):
            x = self.top(x)
            return F.relu(self.deep(self.wide(x)) + x)

    x = noise(1, 3, 5, 5)
    net = Deep()
    model = pyconv.compile(net, x.shape)
    np.testing.assert_array_equal(model(x), pyconv.compile(net, x.shape, without=["fuse_residual"])(x))
    deep = [s for s in model.describe()["steps"] if s["name"] == "deep"][0]
    assert deep["inputs"][3]["buffer"] != deep["outputs"][0]["buffer"]
