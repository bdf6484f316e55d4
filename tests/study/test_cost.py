"""pyconv.study.cost reproduces the numbers of the literature."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pyconv import Conv2dProblem
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


@pytest.fixture(scope="module")
def mobilenet():
    lines = (Path(__file__).parent / "mobilenet_v1.txt").read_text().splitlines()
    return [Conv2dProblem(line) for line in lines if not line.startswith("#")]


def with_batch_norm(layers):
    """Convolutions, scale and shift of each batch norm, and the classifier."""
    cost = total([*map(convolution_cost, layers), linear_cost(1, 1024, 1000)])
    return cost.macs, cost.parameters + sum(2 * layer.oc for layer in layers)


def test_mobilenet_v1(mobilenet):
    macs, parameters = with_batch_norm(mobilenet)
    assert (round(macs / 1e6, 1), round(parameters / 1e6, 2)) == (568.7, 4.23)
    pointwise = total(convolution_cost(p) for p in mobilenet if p.kh == 1)
    depthwise = total(convolution_cost(p) for p in mobilenet if p.g > 1)
    assert round(100 * pointwise.macs / macs, 1) == 94.9
    assert round(100 * depthwise.macs / macs, 1) == 3.1


def test_mobilenet_v1_without_factorising(mobilenet):
    full = mobilenet[:1]
    for depthwise, pointwise in zip(mobilenet[1::2], mobilenet[2::2]):
        stride = f"sh{depthwise.sh}"
        full.append(Conv2dProblem(f"ic{depthwise.ic}oc{pointwise.oc}_ih{depthwise.ih}kh3{stride}ph1"))
    macs, parameters = with_batch_norm(full)
    assert (round(macs / 1e6), round(parameters / 1e6, 2)) == (4867, 29.29)


def test_costs_agree_with_the_engine(mobilenet):
    for problem in mobilenet:
        cost = convolution_cost(problem)
        assert (cost.macs, cost.parameters) == (problem.macs, problem.weight_size)
        assert (cost.src, cost.dst) == (problem.src_size, problem.dst_size)
