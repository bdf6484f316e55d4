"""implicit_gemm leaves out taps on padding, and walks down the columns at the sides: the bits do not show it."""

from __future__ import annotations

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402

from support import conv as run  # noqa: E402
from support.arrays import assert_same_bits, reals  # noqa: E402
from support.problems import Conv, seeded  # noqa: E402

SIZES = [
    {"ih": 7, "iw": 7, "padding": (1, 1, 1, 1)},
    {"ih": 14, "iw": 14, "padding": (1, 1, 1, 1), "mb": 3},
    {"ih": 14, "iw": 13, "padding": (1, 0, 1, 0), "stride": (2, 2)},
    {"ih": 9, "iw": 23, "padding": (0, 2, 3, 0)},
    {"ih": 5, "iw": 5, "padding": (2, 2, 2, 2)},  # the middle is narrower than a tile
    {"ih": 30, "iw": 11, "padding": (2, 2, 5, 5), "stride": (1, 3)},
    {"ih": 28, "iw": 28, "padding": (12, 12, 12, 12), "dilation": (12, 12)},
    {"ih": 10, "iw": 10, "padding": (9, 9, 9, 9), "dilation": (9, 9)},  # columns of nothing but padding
    {"ih": 3, "iw": 40, "padding": (1, 1, 1, 1)},  # too low for columns
    {"ih": 40, "iw": 2, "padding": (4, 4, 4, 4)},
    {"ih": 12, "iw": 12, "kw": 1, "padding": (1, 1, 0, 0)},
    {"ih": 12, "iw": 12, "kh": 1, "kw": 1, "padding": (3, 1, 2, 5)},
    {"ih": 16, "iw": 17, "kh": 5, "kw": 7, "padding": (2, 2, 3, 3), "g": 2},
]
CHANNELS = [(6, 10), (52, 66), (130, 24)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "-".join(f"{k}{v}" for k, v in size.items()))
@pytest.mark.parametrize("ic, oc", CHANNELS)
def test_same_bits_as_the_definition(size, ic, oc):
    conv = Conv(**{"ic": ic, "oc": oc, "kh": 3, "kw": 3, **size})
    arrays = conv.arrays(seeded(conv), reals)
    want = run.run_plan(conv, *arrays, algorithm="reference", accuracy="exact")
    for isa in run.ISAS:
        for threads in (1, 2, 5):
            got = run.run_plan(
                conv, *arrays, algorithm="implicit_gemm", accuracy="exact", max_isa=isa, threads=threads
            )
            assert_same_bits(got, want, f"{isa} {threads} {run.problem(conv)}")


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_weight_that_is_not_finite_meets_the_padding(value):
    """Zero times infinity is NaN: no tap may be left out then."""
    conv = Conv(ic=5, oc=7, ih=14, iw=14, kh=3, kw=3, padding=(1, 1, 1, 1))
    x, weight, bias = conv.arrays(seeded(conv), reals)
    weight[3, 2, 0, 0] = value
    want = run.run_plan(conv, x, weight, bias, algorithm="reference", accuracy="exact")
    got = run.run_plan(conv, x, weight, bias, algorithm="implicit_gemm", accuracy="exact")
    assert_same_bits(got, want, str(value))
    assert np.isnan(got[0, 3, 0]).all()


def test_residual_and_activation_follow_the_columns():
    conv = Conv(ic=20, oc=40, ih=14, iw=14, kh=3, kw=3, padding=(1, 1, 1, 1))
    x, weight, bias = conv.arrays(seeded(conv), reals)
    for activation in ("relu", "silu"):
        got = run.run_plan(
            conv, x, weight, bias, algorithm="implicit_gemm", accuracy="exact", activation=activation
        )
        want = run.run_plan(
            conv, x, weight, bias, algorithm="reference", accuracy="exact", activation=activation
        )
        assert_same_bits(got, want, activation)
