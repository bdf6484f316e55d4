"""The oracles of the package against those of the tests, which share nothing with them."""

from __future__ import annotations

import numpy as np
import pytest

import pyconv
import reference
from pyconv.trust import activations
from pyconv.trust.problems import SMALL, drawn_case
from pyconv.trust.values import Draw


@pytest.mark.parametrize("index", range(60))
def test_a_convolution_means_what_the_tests_say(index):
    case, _ = drawn_case(0, index)
    p = case.problem
    how = {"stride": (p.sh, p.sw), "padding": (p.pt, p.pb, p.pl, p.pr), "dilation": (p.dh, p.dw), "groups": p.g}
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
