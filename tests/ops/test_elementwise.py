"""add and mul: broadcasting, in place, one set of bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyconv
import reference
from support.arrays import assert_same_bits, guarded, nan_like, reals
from support.ulp import SPECIAL

FUNCTIONS = {"add": (pyconv.add, reference.add), "mul": (pyconv.mul, reference.mul)}
ISAS = sorted({k.isa for k in pyconv.kernels() if k.available})

each_function = pytest.mark.parametrize("name", FUNCTIONS)


def check(name, a, b, **options):
    function, meaning = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        assert_same_bits(function(a, b, **options), meaning(a, b).astype(np.float32), f"{a.shape} {b.shape}")


@st.composite
def shapes(draw):
    """A shape and one that broadcasts to it."""
    large = draw(st.lists(st.sampled_from([1, 2, 3, 5, 17]), max_size=5))
    small = [draw(st.sampled_from([1, size])) for size in large]
    return tuple(large), tuple(small[draw(st.integers(0, len(small))) :])


@each_function
@given(both=shapes(), turned=st.booleans(), isa=st.sampled_from(ISAS))
def test_broadcasts_as_numpy(name, both, turned, isa):
    large, small = both
    rng = np.random.default_rng(1)
    a, b = np.asarray(reals(rng, large)), np.asarray(reals(rng, small))
    if turned:
        a, b = b, a
    check(name, a, b, max_isa=isa)


@each_function
@pytest.mark.parametrize(
    "large, small",
    [
        ((2, 64, 9, 9), (64, 1, 1)),
        ((2, 9, 9, 64), (64,)),
        ((2, 9, 9, 3), (3,)),
        ((3, 40, 5, 5), (3, 40, 1, 1)),
        ((3, 5, 5, 40), (3, 1, 1, 40)),
        ((2, 8, 300), (8, 1)),
        ((3, 300, 7), (3, 1, 7)),
        ((4, 5), ()),
        ((4, 5), (1,)),
        ((0, 5), (5,)),
        ((4, 0), (4, 0)),
    ],
    ids=str,
)
def test_the_usual_broadcasts(name, large, small):
    rng = np.random.default_rng(2)
    a, b = guarded(reals(rng, large)), guarded(np.asarray(reals(rng, small)))
    for isa in ISAS:
        check(name, a, b, max_isa=isa)
    out = guarded(nan_like(large))
    assert FUNCTIONS[name][0](a, b, out=out) is out
    assert_same_bits(out, FUNCTIONS[name][1](a, b).astype(np.float32))
    want = FUNCTIONS[name][1](a, b).astype(np.float32)
    assert_same_bits(FUNCTIONS[name][0](a, b, out=a), want, "in place")


@each_function
def test_out_may_be_either_of_two_alike(name):
    rng = np.random.default_rng(3)
    a, b = reals(rng, (5, 7)), reals(rng, (5, 7))
    function, meaning = FUNCTIONS[name]
    want = meaning(a, b).astype(np.float32)
    assert_same_bits(function(a, b, out=b), want)


@each_function
def test_numbers(name):
    x = np.concatenate([SPECIAL, reals(np.random.default_rng(4), 100)])
    function, meaning = FUNCTIONS[name]
    for number in (0.1, 3, -0.0, np.inf, np.nan):
        with np.errstate(all="ignore"):
            want = meaning(x, np.float32(number)).astype(np.float32)
        assert_same_bits(function(x, number), want, str(number))


@each_function
def test_special_numbers_and_threads(name):
    rng = np.random.default_rng(5)
    a = np.concatenate([SPECIAL, reals(rng, 400_000)])
    b = a.copy()
    rng.shuffle(b)
    check(name, a, b, threads=1)
    check(name, a, b, threads=3)


@each_function
def test_bad_arguments(name):
    function = FUNCTIONS[name][0]
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"^b: expected a shape that broadcasts .* got \(2,\) beside \(2, 3\)"):
        function(x, np.zeros(2, np.float32))
    with pytest.raises(TypeError, match="^b: expected a float32 numpy array, got str"):
        function(x, "1")
    with pytest.raises(TypeError, match="^a: expected dtype float32 .* got float64"):
        function(x.astype(np.float64), x)
    with pytest.raises(ValueError, match=r"^out: expected shape \(2, 3\), got \(3,\)"):
        function(x, np.zeros(3, np.float32), out=np.zeros(3, np.float32))
    row = np.zeros((1, 3), np.float32)
    with pytest.raises(ValueError, match="^out: expected memory of its own"):
        function(np.zeros((1, 3), np.float32), row[0], out=row)
    memory = np.zeros(12, np.float32)
    with pytest.raises(ValueError, match="^out: expected the input itself or memory of its own"):
        function(memory[:6], memory[6:], out=memory[3:9])
