"""pyconv.study.cost reproduces the numbers of the literature."""

from types import SimpleNamespace

import pytest

from pyconv.study.cost import Cost, convolution_cost, linear_cost, total


def dims(ic, oc, size, kernel, *, g=1, mb=1, kw=None):
    """A convolution of stride 1 that keeps the size."""
    kw = kernel if kw is None else kw
    return SimpleNamespace(mb=mb, g=g, ic=ic, oc=oc, ih=size, iw=size, oh=size, ow=size, kh=kernel, kw=kw)


C, K, H = 48, 5, 96


@pytest.mark.parametrize(
    "layers, weights",
    [
        ([dims(C, H, 14, K)], C * K * K * H),
        ([dims(C, C, 14, K, g=C)], C * K * K),
        ([dims(C, C, 14, K, g=C, kw=1), dims(C, C, 14, 1, g=C, kw=K)], C * (K + K)),
        ([dims(C, H, 14, 1)], C * H),
    ],
    ids=["normal", "depthwise", "separable", "pointwise"],
)
def test_weights_and_macs_of_the_four_kinds(layers, weights):
    cost = total(convolution_cost(layer) for layer in layers)
    assert cost.parameters == weights
    assert cost.macs == weights * 14 * 14


def test_one_mac_is_two_flops():
    cost = convolution_cost(dims(64, 64, 56, 3))
    assert (cost.macs, cost.flops) == (115_605_504, 231_211_008)


def test_least_bytes_and_intensity():
    cost = convolution_cost(dims(64, 64, 56, 3))
    assert cost.bytes == 4 * (64 * 64 * 9 + 2 * 64 * 56 * 56)
    assert cost.intensity == cost.flops / cost.bytes
    assert cost.activations == 64 * 56 * 56


def test_groups_divide_macs_and_parameters():
    whole, split = convolution_cost(dims(32, 64, 7, 3)), convolution_cost(dims(32, 64, 7, 3, g=4))
    assert (whole.macs, whole.parameters) == (4 * split.macs, 4 * split.parameters)


def test_the_batch_multiplies_macs_but_not_parameters():
    one, four = convolution_cost(dims(8, 8, 7, 3)), convolution_cost(dims(8, 8, 7, 3, mb=4))
    assert (four.macs, four.parameters) == (4 * one.macs, one.parameters)


def test_a_bias_adds_parameters_only():
    without, with_bias = (convolution_cost(dims(8, 16, 7, 3), bias=b) for b in (False, True))
    assert with_bias == Cost(without.macs, without.parameters + 16, without.src, without.dst)


def test_nothing_costs_nothing():
    empty = convolution_cost(dims(8, 8, 7, 3, mb=0))
    assert (empty.macs, empty.dst) == (0, 0)
    assert total([]).intensity == 0


def test_linear():
    assert linear_cost(2, 1024, 1000, bias=False) == Cost(2_048_000, 1_024_000, 2048, 2000)
