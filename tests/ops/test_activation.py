"""Activations as functions of arrays, and fused into convolutions: shapes, in place, one set of bits."""

from __future__ import annotations

import numpy as np
import pytest

import pyconv
import reference
from support.arrays import assert_same_bits, guarded, nan_like, reals
from support.ulp import SPECIAL

FUNCTIONS = {
    "relu": pyconv.relu,
    "relu6": pyconv.relu6,
    "leaky_relu": pyconv.leaky_relu,
    "elu": pyconv.elu,
    "sigmoid": pyconv.sigmoid,
    "hard_sigmoid": pyconv.hard_sigmoid,
    "silu": pyconv.silu,
    "hard_swish": pyconv.hard_swish,
    "tanh": pyconv.tanh,
    "gelu": pyconv.gelu,
    "gelu_tanh": lambda x, **options: pyconv.gelu(x, "tanh", **options),
}
ISAS = sorted({k.isa for k in pyconv.kernels() if k.available})

each_function = pytest.mark.parametrize("name", FUNCTIONS)


@each_function
def test_close_to_the_reference(name):
    x = reals(np.random.default_rng(1), (2, 3, 5, 7))
    meaning = (lambda v: reference.gelu(v, "tanh")) if name == "gelu_tanh" else getattr(reference, name)
    np.testing.assert_allclose(FUNCTIONS[name](x), meaning(x), rtol=1e-6, atol=1e-6)


@each_function
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (17,), (2, 3, 4, 5, 6)], ids=str)
def test_any_shape(name, shape):
    x = np.asarray(reals(np.random.default_rng(2), shape), np.float32)
    got = FUNCTIONS[name](x)
    assert got.shape == shape and got.dtype == np.float32
    flat = FUNCTIONS[name](x.reshape(-1))
    assert_same_bits(got.reshape(-1), flat, name)


@each_function
def test_same_bits_on_every_isa_and_thread_count(name):
    x = np.concatenate([SPECIAL, reals(np.random.default_rng(3), 300_000)])
    want = FUNCTIONS[name](x, threads=1)
    for isa in ISAS:
        assert_same_bits(FUNCTIONS[name](x[:20_000], max_isa=isa), want[:20_000], isa)
    for threads in (2, 3):
        assert_same_bits(FUNCTIONS[name](x, threads=threads), want, f"{threads} threads")


@each_function
def test_memory_order_in_place_and_out(name):
    x = reals(np.random.default_rng(4), (4, 6, 5))
    function = FUNCTIONS[name]
    want = function(x)
    turned = np.asfortranarray(x)
    assert_same_bits(function(turned), want, "Fortran order")
    assert_same_bits(function(x[:, ::2]), np.ascontiguousarray(want[:, ::2]), "strides")
    y = guarded(nan_like(x.shape))
    assert function(x, out=y) is y
    assert_same_bits(y, want, "out")
    x.setflags(write=False)
    assert_same_bits(function(x), want, "read-only")
    z = x.copy()
    assert function(z, out=z) is z
    assert_same_bits(z, want, "in place")


@each_function
def test_partial_overlap_is_refused(name):
    memory = np.zeros(20, np.float32)
    with pytest.raises(ValueError, match="^out: expected the input itself or memory of its own"):
        FUNCTIONS[name](memory[:16], out=memory[4:])


@each_function
def test_bad_arguments(name):
    x = np.zeros((2, 3), np.float32)
    function = FUNCTIONS[name]
    with pytest.raises(TypeError, match="^x: expected dtype float32"):
        function(x.astype(np.float64))
    with pytest.raises(TypeError, match="^x: expected dtype float32"):
        function(x.astype(">f4"))
    with pytest.raises(TypeError, match="^x: expected a float32 numpy array, got list"):
        function([1.0])
    with pytest.raises(ValueError, match=r"^out: expected shape \(2, 3\), got \(3, 2\)"):
        function(x, out=np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match="^threads: expected 1 or more, got 0"):
        function(x, threads=0)
    with pytest.raises(ValueError, match="^max_isa: expected"):
        function(x, max_isa="sse9")


def test_bad_parameters():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(TypeError, match="^alpha: expected a number, got str"):
        pyconv.elu(x, "1")
    with pytest.raises(ValueError, match="^approximate: expected 'none' or 'tanh', got 'erf'"):
        pyconv.gelu(x, "erf")
    with pytest.raises(ValueError, match=r"^weight: expected shape \(3,\) or \(1,\), got \(2,\)"):
        pyconv.prelu(x, np.zeros(2, np.float32))


def test_rules_for_special_numbers():
    """docs/numerics.md: NaN passes, limits at the infinities, -0 stays."""
    x = np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)
    want = {
        "relu": [np.nan, np.inf, 0.0, -0.0],
        "relu6": [np.nan, 6.0, 0.0, -0.0],
        "leaky_relu": [np.nan, np.inf, -np.inf, -0.0],
        "elu": [np.nan, np.inf, -1.0, -0.0],
        "sigmoid": [np.nan, 1.0, 0.0, 0.5],
        "hard_sigmoid": [np.nan, 1.0, 0.0, 0.5],
        "silu": [np.nan, np.inf, -0.0, -0.0],
        "hard_swish": [np.nan, np.inf, -0.0, -0.0],
        "tanh": [np.nan, 1.0, -1.0, -0.0],
        "gelu": [np.nan, np.inf, -0.0, -0.0],
        "gelu_tanh": [np.nan, np.inf, -0.0, -0.0],
    }
    for name, values in want.items():
        assert_same_bits(FUNCTIONS[name](x), np.array(values, np.float32), name)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4, 5), (1, 3, 20, 20), (5, 3, 1, 1), (1, 400, 2, 3)])
def test_prelu(layout, shape):
    rng = np.random.default_rng(5)
    x, weight = reals(rng, shape), reals(rng, shape[1])
    want = reference.prelu(x, weight).astype(np.float32)
    if layout == "nhwc":
        x, want = (np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (x, want))
    for isa in ISAS:
        assert_same_bits(pyconv.prelu(x, weight, layout=layout, max_isa=isa), want, isa)
    assert_same_bits(pyconv.prelu(x, weight, layout=layout, out=x), want, "in place")


def test_prelu_with_one_slope():
    x = reals(np.random.default_rng(6), (3, 4))
    assert_same_bits(pyconv.prelu(x, np.array([0.3], np.float32)), pyconv.leaky_relu(x, 0.3))


@each_function
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_fused_into_a_convolution(name, layout):
    """The same bits as the convolution followed by the activation, whatever the algorithm."""
    rng = np.random.default_rng(7)
    x, weight, bias = reals(rng, (2, 5, 6, 7)), reals(rng, (19, 5, 3, 3)), reals(rng, 19)
    if layout == "nhwc":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    options = {"padding": 1, "layout": layout, "accuracy": "exact"}
    want = FUNCTIONS[name](pyconv.conv2d(x, weight, bias, **options))
    entries = pyconv.algorithms((2, 5, 6, 7), weight.shape, padding=1, accuracy="exact")
    for algorithm in (entry.name for entry in entries if entry.accepted):
        for isa in ISAS:
            got = pyconv.conv2d(
                x, weight, bias, activation=name, algorithm=algorithm, max_isa=isa, **options
            )
            assert_same_bits(got, want, f"{algorithm} {isa}")


def test_an_activation_counts_in_estimates():
    """The same for every algorithm, nothing for a clamp, and more for a dearer one."""
    weight = np.ones((16, 16, 3, 3), np.float32)

    def costs(activation):
        plan = pyconv.Conv2dPlan("ic16oc16_ih8kh3ph1", weight, activation=activation)
        return {entry.name: entry.cost for entry in plan.describe()["algorithms"] if entry.accepted}

    plain = costs(None)
    assert costs("relu") == costs("relu6") == plain
    more = {name: costs(name) for name in ("leaky_relu", "hard_swish", "silu", "gelu")}
    added = [{round(cost[a] - plain[a], 6) for a in plain} for cost in more.values()]
    assert all(len(values) == 1 for values in added)
    assert 0 < min(added[0]) < min(added[1]) < min(added[2]) < min(added[3])
