"""Separable weights: found, run as two passes, refused in words; separable_conv2d."""

from __future__ import annotations

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402

import reference  # noqa: E402
from support import conv as run  # noqa: E402
from support.arrays import U, assert_same_bits, guarded, integers, reals  # noqa: E402
from support.problems import Conv, seeded  # noqa: E402

DEPTHWISE = [
    Conv(g=3, ic=3, oc=3, ih=9, iw=11, kh=3, kw=3, padding=(1, 1, 1, 1)),
    Conv(g=16, ic=16, oc=32, ih=8, iw=7, kh=5, kw=2, padding=(2, 1, 0, 1)),
    Conv(mb=2, g=17, ic=17, oc=17, ih=12, iw=13, kh=3, kw=4, stride=(2, 3), padding=(0, 2, 1, 3)),
    Conv(g=5, ic=5, oc=5, ih=14, iw=15, kh=3, kw=3, dilation=(2, 3), padding=(2, 2, 3, 3)),
    Conv(mb=0, g=4, ic=4, oc=4, ih=5, iw=5, kh=3, kw=3),
]
DENSE = [
    Conv(ic=1, oc=1, ih=9, iw=11, kh=3, kw=3, padding=(1, 1, 1, 1)),
    Conv(ic=8, oc=12, ih=9, iw=10, kh=3, kw=3, padding=(1, 1, 1, 1)),
    Conv(mb=2, ic=7, oc=17, ih=12, iw=9, kh=5, kw=3, stride=(2, 1), padding=(2, 1, 0, 2)),
    Conv(ic=6, oc=5, ih=15, iw=14, kh=3, kw=3, stride=(1, 2), dilation=(2, 1)),
]


def separable_weights(conv, rank, fill, rng):
    """Weights of that rank, each a sum of products of what fill makes."""
    if conv.g > 1:
        return fill(rng, (conv.oc, 1, conv.kh, 1)) * fill(rng, (conv.oc, 1, 1, conv.kw))
    first, second = fill(rng, (rank, conv.ic, conv.kh)), fill(rng, (rank, conv.oc, conv.kw))
    return np.einsum("ich,iow->ochw", first, second, dtype=np.float64).astype(np.float32)


def entry(conv, weight, **options):
    return next(e for e in run.entries(conv, weight=weight, **options) if e.name == "separable")


def factored_bound(weight, conv, rank, tolerance):
    """Of |got - reference| over the largest |src|: the weights' own error, the rounding of the
    factors and of both sums. The factors are orthogonal, with norms the roots of the singular values,
    so that sum |first||second| <= the nuclear norm <= sqrt(rank) |weight|."""
    norm = np.linalg.norm(weight)
    taps = conv.ic // conv.g * conv.kh * conv.kw
    roundings = conv.ic // conv.g * conv.kh + rank * conv.kw + 4
    return norm * np.sqrt(taps) * (tolerance + roundings * U * np.sqrt(rank))


def name(value):
    return str(run.problem(value)) if isinstance(value, Conv) else str(value)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize(
    "rank, conv", [(1, c) for c in DEPTHWISE + DENSE] + [(2, c) for c in DENSE[1:]], ids=name
)
def test_separable_weights_run_as_two_passes(rank, conv, layout):
    for fill in (integers, reals):
        rng = seeded(conv)
        x, bias = fill(rng, conv.x_shape), fill(rng, (conv.oc,))
        weight = separable_weights(conv, rank, fill, rng)
        want = reference.conv2d(x, weight, bias, **conv.options)
        assert entry(conv, weight, layout=layout).accepted
        bound = factored_bound(weight, conv, rank, 2.0**-23) * np.abs(x).max(initial=0)
        bound += U * np.abs(bias).max()
        for isa in run.ISAS:
            for where in ("end", "begin"):
                got = run.run_plan(conv, x, weight, bias, where=where, layout=layout,
                                   algorithm="separable", max_isa=isa)  # fmt: skip
                assert np.abs(got - want).max(initial=0) <= bound + U * np.abs(want).max(initial=0)


def test_same_bits_on_every_instruction_set_and_thread_count():
    for conv in (DEPTHWISE[1], DENSE[2]):
        rng = seeded(conv)
        x, weight = reals(rng, conv.x_shape), separable_weights(conv, 1, reals, rng)
        options = {"algorithm": "separable", "layout": "nhwc"}
        want = run.run_plan(conv, x, weight, None, max_isa="scalar", threads=1, **options)
        for isa in run.ISAS:
            for threads in (1, 3):
                got = run.run_plan(conv, x, weight, None, max_isa=isa, threads=threads, **options)
                assert_same_bits(got, want, f"{isa} {threads}")


def test_activation_and_bias_come_once():
    conv = DENSE[1]
    rng = seeded(conv)
    x, bias = reals(rng, conv.x_shape), reals(rng, (conv.oc,))
    weight = separable_weights(conv, 2, reals, rng)
    plain = run.run_plan(conv, x, weight, bias, algorithm="separable")
    got = run.run_plan(conv, x, weight, bias, algorithm="separable", activation="relu")
    assert_same_bits(got, np.maximum(plain, 0), "relu")


def test_auto_passes_it_by():
    """Only the caller knows that approximate weights will do."""
    conv = Conv(ic=64, oc=64, ih=28, iw=28, kh=5, kw=5, padding=(2, 2, 2, 2))
    weight = separable_weights(conv, 1, reals, seeded(conv))
    entries = {e.name: e for e in run.entries(conv, weight=weight, layout="nhwc", threads=1)}
    assert entries["separable"].accepted
    others = [e.cost for e in entries.values() if e.accepted and e.name != "separable"]
    assert 0 < entries["separable"].cost < min(others)
    plan = pyconv.Conv2dPlan(run.problem(conv), weight, layout="nhwc", threads=1)
    assert plan.describe()["algorithm"] != "separable"
    forced = pyconv.Conv2dPlan(run.problem(conv), weight, layout="nhwc", threads=1, algorithm="separable")
    assert forced.workspace_bytes == entries["separable"].workspace_bytes


def test_tolerance_decides_the_rank():
    """Singular values 1, 1e-2, 1e-4: cut where the rest is within the tolerance."""
    conv = Conv(ic=4, oc=6, ih=8, iw=8, kh=3, kw=3)
    rng = np.random.default_rng(5)
    u, _ = np.linalg.qr(rng.standard_normal((conv.ic * 3, 3)))
    v, _ = np.linalg.qr(rng.standard_normal((conv.oc * 3, 3)))
    unfolded = (u * [1.0, 1e-2, 1e-4]) @ v.T
    weight = unfolded.reshape(4, 3, 3, 6).transpose(3, 0, 1, 2).astype(np.float32)
    costs = [entry(conv, weight, tolerance=t).workspace_bytes for t in (0.1, 1e-3, 1e-5)]
    assert costs[0] < costs[1] < costs[2]
    x = rng.standard_normal(conv.x_shape).astype(np.float32)
    want = reference.conv2d(x, weight)
    for tolerance in (0.1, 1e-3, 1e-5):
        got = pyconv.conv2d(x, weight, algorithm="separable", tolerance=tolerance)
        error = np.linalg.norm(got - want) / np.linalg.norm(want)
        assert error < 2 * tolerance


@pytest.mark.parametrize(
    "conv, fill, options, reason",
    [
        (Conv(ic=4, oc=4, ih=6, iw=6, kh=3, kw=1), reals, {}, "the kernel is 3x1, which is one pass already"),
        (Conv(g=2, ic=4, oc=4, ih=6, iw=6, kh=3, kw=3), reals, {},
         "the convolution has 2 groups, and is neither dense nor depthwise"),
        (Conv(ic=8, oc=8, ih=6, iw=6, kh=3, kw=3, padding=(1, 1, 1, 1)), reals, {"tolerance": 1e-6},
         "a rank above 12 at tolerance 1e-06 needs more multiply-adds than the dense filter"),
        (Conv(g=4, ic=4, oc=4, ih=6, iw=6, kh=3, kw=3), reals, {"tolerance": 1e-3},
         "the filter of channel 0 is no column times a row at tolerance 0.001"),
        (Conv(g=4, ic=4, oc=4, ih=6, iw=6, kh=3, kw=3), reals, {"accuracy": "exact"},
         "accuracy is exact, and two passes round differently"),
        (Conv(g=4, ic=4, oc=4, ih=6, iw=6, kh=3, kw=3),
         lambda rng, shape: np.full(shape, np.nan, np.float32), {}, "some weights are not finite"),
    ],
)  # fmt: skip
def test_refusals(conv, fill, options, reason):
    rng = seeded(conv)
    x, weight = reals(rng, conv.x_shape), fill(rng, conv.weight_shape)
    said = entry(conv, weight, **options)
    assert (said.accepted, said.reason) == (False, reason)
    with pytest.raises(ValueError, match="separable refuses"):
        pyconv.conv2d(x, weight, **conv.options, algorithm="separable", **options)


def test_without_weights_it_says_so():
    said = entry(DEPTHWISE[0], None)
    assert said.reason == "the weights are needed to judge their rank: pass weight="


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("conv", [c for c in DEPTHWISE if c.ic == c.oc] + DENSE[:1], ids=name)
def test_separable_conv2d(conv, layout):
    rng = seeded(conv)
    options = {k: v for k, v in conv.options.items() if k != "groups"}
    x, bias = integers(rng, conv.x_shape), integers(rng, (conv.oc,))
    column, row = integers(rng, (conv.oc, conv.kh)), integers(rng, (conv.oc, conv.kw))
    want = reference.separable_conv2d(x, column, row, bias, **options)
    for isa in run.ISAS:
        for accuracy in ("fast", "exact"):
            got = pyconv.separable_conv2d(
                guarded(run.to_layout(x, layout)), guarded(column), guarded(row), guarded(bias),
                **options, layout=layout, accuracy=accuracy, max_isa=isa,
            )  # fmt: skip
            assert_same_bits(run.to_nchw(got, layout), (want + 0.0).astype(np.float32), f"{isa} {accuracy}")


def test_separable_conv2d_takes_same_padding_activation_and_out():
    rng = np.random.default_rng(1)
    x, column, row = integers(rng, (1, 3, 7, 8)), integers(rng, (3, 3)), integers(rng, (3, 5))
    out = np.empty((1, 3, 4, 4), np.float32)
    got = pyconv.separable_conv2d(x, column, row, stride=2, padding="same", activation="relu", out=out)
    assert got is out
    want = np.maximum(reference.separable_conv2d(x, column, row, stride=2, padding=(1, 1, 1, 2)), 0)
    np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"x": np.zeros((3, 8, 8), np.float32)}, ValueError, "x: expected shape (N, C, H, W), got (3, 8, 8)"),
        ({"column": np.zeros((2, 3), np.float32)}, ValueError,
         "column: expected shape (C, kH) with C = 3 channels of x, got (2, 3)"),
        ({"row": np.zeros((3, 3, 1), np.float32)}, ValueError,
         "row: expected shape (C, kW), got (3, 3, 1)"),
        ({"row": np.zeros((3, 3))}, TypeError,
         "row: expected dtype float32 in native byte order, got float64"),
        ({"column": [[1.0]]}, TypeError, "column: expected a float32 numpy array, got list"),
        ({"stride": 0}, ValueError, "stride"),
        ({"padding": "full"}, ValueError, "padding"),
    ],
)  # fmt: skip
def test_separable_conv2d_names_what_is_wrong(change, error, words):
    good = {"x": np.zeros((1, 3, 8, 8), np.float32), "column": np.zeros((3, 3), np.float32),
            "row": np.zeros((3, 3), np.float32)}  # fmt: skip
    with pytest.raises(error) as caught:
        pyconv.separable_conv2d(**{**good, **change})
    assert words in str(caught.value)
    x = good["x"]
    with pytest.raises(ValueError, match="out"):
        pyconv.separable_conv2d(x, good["column"], good["row"], padding=1, out=x)
