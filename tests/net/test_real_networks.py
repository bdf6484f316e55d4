"""Exact mode on whole networks: the same bits whatever runs them."""

from __future__ import annotations

import numpy as np
import pytest

import pyconv
from pyconv import nn

NETWORKS = {
    "mobilenet_v1": (3, 96, 96),
    "mobilenet_v2": (3, 128, 128),
    "resnet20": (3, 32, 32),
    "squeezenet1_1": (3, 96, 96),
    "shufflenet_v2": (3, 96, 96),
    "efficientnet_b0": (3, 96, 96),
}
KEEPING = [name for name, _, keeps_bits in pyconv.passes() if keeps_bits]
ISAS = sorted({kernel.isa for kernel in pyconv.kernels() if kernel.available})


@pytest.mark.parametrize("name", NETWORKS)
def test_exact_bits_do_not_depend_on_what_runs_them(name):
    nn.manual_seed(1)
    net = pyconv.zoo.create(name)
    shape = NETWORKS[name]
    x = np.random.default_rng(0).standard_normal((8, *shape), np.float32)
    want = pyconv.compile(net, x.shape, accuracy="exact")(x).view(np.uint32)
    assert np.isfinite(want.view(np.float32)).all()
    for options in ({"threads": 2}, {"threads": 4}, {"without": KEEPING}):
        got = pyconv.compile(net, x.shape, accuracy="exact", **options)(x)
        np.testing.assert_array_equal(got.view(np.uint32), want, str(options))
    for isa in ISAS:
        one = pyconv.compile(net, (1, *shape), accuracy="exact", max_isa=isa)
        for i in (0, 7) if isa == "scalar" else range(8):
            np.testing.assert_array_equal(one(x[i : i + 1]).view(np.uint32), want[i : i + 1], isa)
