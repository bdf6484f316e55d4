"""The oracles of the package against those of the tests, which share nothing with them."""

from __future__ import annotations

import numpy as np
import pytest

import pyconv
import reference
from pyconv.graph import GraphBuilder
from pyconv.nn.module import trace
from pyconv.trust import activations, graph_checks, graphs
from pyconv.trust import meaning as meaning_of
from pyconv.trust.graphs import drawn_graph, dump
from pyconv.trust.problems import SMALL, drawn_case
from pyconv.trust.values import Draw
from pyconv.trust.work import Work


@pytest.mark.parametrize("index", range(60))
def test_a_convolution_means_what_the_tests_say(index):
    case, _ = drawn_case(0, index)
    p = case.problem
    how = {
        "stride": (p.sh, p.sw),
        "padding": (p.pt, p.pb, p.pl, p.pr),
        "dilation": (p.dh, p.dw),
        "groups": p.g,
    }
    x = case.x.transpose(0, 3, 1, 2)
    with np.errstate(all="ignore"):
        value, scale = case.sum64()
        want = reference.conv2d(x, case.weight, case.bias, **how).transpose(0, 2, 3, 1)
        magnitude = reference.conv2d_abs(x, case.weight, case.bias, **how).transpose(0, 2, 3, 1)
    if case.kind != "specials":
        np.testing.assert_allclose(value, want, rtol=1e-12, atol=1e-11)
        np.testing.assert_allclose(scale, magnitude, rtol=1e-12)


@pytest.mark.parametrize("name", activations.ROWS)
def test_an_activation_means_what_the_tests_say(name):
    x = np.linspace(-20, 20, 4001)
    function = reference.gelu if name == "gelu_tanh" else getattr(reference, name)
    want = function(x, "tanh") if name == "gelu_tanh" else function(x)
    got, bound = activations.through(name, x, np.full_like(x, 1e-3), fast=False)
    np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-15)
    # The bound covers what a shift of the argument does, and the rounding of this package's own function.
    for moved in (x - 0.999e-3, x + 0.999e-3):
        assert (np.abs(activations.through(name, moved, 0 * x, fast=False)[0] - got) <= bound).all()
    public = getattr(pyconv, "gelu" if name == "gelu_tanh" else name)
    y = public(x.astype(np.float32), **({"approximate": "tanh"} if name == "gelu_tanh" else {}))
    rounded = x.astype(np.float32).astype(np.float64)
    value, error = activations.through(name, rounded, np.zeros_like(x), fast=False)
    assert (np.abs(y - value) <= error).all()


def test_problems_are_of_every_kind():
    problems = [drawn_case(2, index)[0].problem for index in range(400)]
    assert {p.g == 1 for p in problems} == {True, False}
    assert any(p.g == p.ic > 1 for p in problems) and any(1 < p.g < p.ic for p in problems)
    assert any(p.kh * p.kw == 1 for p in problems) and any(p.dh > 1 for p in problems)
    assert any(p.mb == 0 for p in problems) and any(p.macs > SMALL for p in problems)
    assert any(p.sh == p.sw == p.dh == p.dw == 1 and p.kh == p.kw == 3 and p.g == 1 for p in problems)


def test_values_are_the_same_on_every_machine():
    draw = Draw("values")
    assert draw.bits(3).tolist() == [925455178, 1521107786, 4134792810]
    reals = draw.reals(10000)
    assert np.isfinite(reals).all() and 2.0**-4 <= np.abs(reals).min() and np.abs(reals).max() < 16
    integers = draw.integers(1000, limit=2)
    assert sorted(set(integers.tolist())) == [-2, -1, 0, 1, 2]


IMAGE, CHANNEL = (2, 6, 7, 5), (6,)
POOL = {"kernel": [3, 2], "stride": [2, 1], "padding": [1, 0]}
CONV = {"stride": [2, 1], "padding": [1, 0, 2, 1], "dilation": [1, 2], "groups": 2}
# Operator, shapes of its inputs, attributes, and the reference's way of saying it.
MEANINGS = {
    "conv": ((IMAGE, (4, 3, 3, 2), (4,)), CONV, lambda x, w, b: reference.conv2d(x, w, b, **CONV)),
    "conv_transpose": (
        (IMAGE, (6, 2, 3, 2), (4,)),
        {**CONV, "padding": [1, 0, 1, 0], "output_padding": [1, 0]},
        lambda x, w, b: reference.conv_transpose2d(
            x, w, b, stride=(2, 1), padding=(1, 0, 1, 0), dilation=(1, 2), groups=2, output_padding=(1, 0)
        ),
    ),
    "linear": (((3, 5), (4, 5), (4,)), {}, reference.linear),
    "batch_norm": (
        (IMAGE, CHANNEL, CHANNEL, CHANNEL, CHANNEL),
        {"eps": 20.0},  # above the least of the random variances
        lambda *a: reference.batch_norm(*a, eps=20.0),
    ),
    "add": ((IMAGE, (6, 1, 1)), {}, reference.add),
    "mul": ((IMAGE, (2, 6, 1, 1)), {}, reference.mul),
    "global_avg_pool": ((IMAGE,), {}, reference.global_avg_pool2d),
    "global_max_pool": ((IMAGE,), {}, reference.global_max_pool2d),
    "softmax": ((IMAGE,), {"axis": 1}, reference.softmax),
    "lrn": (
        (IMAGE,),
        {"size": 3, "alpha": 0.5, "beta": 0.75, "k": 2.0},
        lambda x: reference.lrn(x, 3, alpha=0.5, beta=0.75, k=2.0),
    ),
    "concat": ((IMAGE, (2, 3, 7, 5)), {"axis": 1}, lambda *a: reference.concat(a)),
    "pad": (
        (IMAGE,),
        {"pads": [0, 0, 1, 2, 0, 0, 3, 0], "value": 2.0},
        lambda x: reference.pad(x, (1, 3, 2, 0), 2.0),
    ),
    "resize": ((IMAGE,), {"sizes": [2, 6, 14, 15]}, lambda x: reference.resize(x, (14, 15))),
    "slice": ((IMAGE,), {"axes": [1], "starts": [1], "ends": [4]}, lambda x: x[:, 1:4]),
    "reshape": ((IMAGE,), {"shape": [2, 210]}, lambda x: x.reshape(2, 210)),
    "transpose": ((IMAGE,), {"axes": [0, 2, 1, 3]}, lambda x: x.transpose(0, 2, 1, 3)),
}
for ceil in (0, 1):
    rest = {"stride": (2, 1), "padding": (1, 0), "ceil_mode": bool(ceil)}
    MEANINGS[f"max_pool {ceil}"] = (
        (IMAGE,), {**POOL, "ceil_mode": ceil}, lambda x, rest=rest: reference.max_pool2d(x, (3, 2), **rest)
    )  # fmt: skip
    for counted in (0, 1):
        MEANINGS[f"avg_pool {ceil}{counted}"] = (
            (IMAGE,), {**POOL, "ceil_mode": ceil, "count_include_pad": counted},
            lambda x, rest={**rest, "count_include_pad": bool(counted)}: reference.avg_pool2d(x, (3, 2), **rest),
        )  # fmt: skip


@pytest.mark.parametrize("case", MEANINGS)
def test_an_operator_means_what_the_tests_say_and_its_bound_holds(case):
    shapes, attributes, meaning = MEANINGS[case]
    op = meaning_of.OPS[case.split()[0]]
    draw = Draw(case)
    arrays = [draw.reals(*shape).astype(np.float64) for shape in shapes]
    want = meaning(*arrays)
    got = op(attributes, [meaning_of.Bounded(a, None) for a in arrays])
    np.testing.assert_allclose(got.value, want, rtol=1e-12, atol=1e-12)
    # Operands that move by less than their error move the result by less than the bound; weights are known.
    inputs = len(arrays) if case in ("add", "mul", "concat") else 1
    errors = [np.abs(draw.reals(*shape)) * 1e-3 * (i < inputs) for i, shape in enumerate(shapes)]
    bounded = op(attributes, [meaning_of.Bounded(a, e) for a, e in zip(arrays, errors)])
    np.testing.assert_array_equal(bounded.value, got.value)
    for _ in range(5):
        moved = [a + 0.99 * e * np.sign(draw.reals(*a.shape)) for a, e in zip(arrays, errors)]
        assert (np.abs(meaning(*moved) - want) <= bounded.error + 1e-12).all()


@pytest.mark.parametrize("name", ["alexnet", "mobilenet_v3_small", "shufflenet_v2", "unet"])
def test_operators_of_the_zoo_have_a_meaning(name):
    graph = trace(
        pyconv.zoo.create(name), {"input": pyconv.zoo.entry(name).input_shape}, GraphBuilder()
    ).graph
    assert {node["op"] for node in graph.nodes()} <= meaning_of.OPS.keys()


def test_random_graphs_hold_every_part_and_print():
    seen = set()
    for index in range(80):
        builder = drawn_graph(3, index, 1)
        again = drawn_graph(3, index, 3)
        ops = [node["op"] for node in builder.graph.nodes()]
        assert ops == [node["op"] for node in again.graph.nodes()]
        assert len(dump(builder).splitlines()) == len(ops) + 1
        seen |= set(ops)
    assert seen >= meaning_of.OPS.keys() - {"identity"}


# Graphs whose bounds once were too small, or NaN: a folded shift larger than the sum, and a share of softmax
# of whose exponent nothing is known. They were drawn before DenseNet's layers were among the parts.
@pytest.mark.parametrize("seed, index", [(207, 408), (205, 209)])
def test_bounds_that_were_wrong(seed, index, monkeypatch):
    for name in ("PARTS", "WIDE"):
        parts = getattr(graphs, name)
        monkeypatch.setattr(graphs, name, tuple(part for part in parts if part is not graphs._dense))
    work = Work(seed, 1.0, only=index)
    graph_checks.run(work)
    assert work.figures["graphs"] == 1
