"""Winograd: every row and tile size around the tile, within the derived bound, between guard pages."""

from __future__ import annotations

from dataclasses import replace

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402

import reference  # noqa: E402
from pyconv.trust import winograd  # noqa: E402
from support import conv as run  # noqa: E402
from support.arrays import assert_same_bits, integers, reals  # noqa: E402
from support.problems import Conv, seeded  # noqa: E402

ROWS = [k for k in pyconv.kernels() if k.family == "winograd"]
# Largest error over largest output by the tile's size, unit variance in and out: what 3x3 filters were found to
# have with prototypes. 5x5 filters share the tiles and their transforms, those of stride 2 amplify less.
ACCURACY = {4: 1e-6, 6: 1.4e-5, 8: 1.9e-5}


NAMES = [(f"winograd_f{m}", taps, stride) for m, taps, stride in winograd.SIZES]


def conv3x3(ic, oc, ih, iw, padding=(1, 1, 1, 1), mb=1, taps=3, stride=1):
    return Conv(
        mb=mb, ic=ic, oc=oc, ih=ih, iw=iw, kh=taps, kw=taps, padding=padding, stride=(stride, stride)
    )


def taps_of(row):
    return 5 if "5x5" in row.name else 3


def stride_of(row):
    return 2 if "_s2_" in row.name else 1


def problems(m, taps, stride):
    """Around the tile in both directions, around the vectors in channels, any padding."""
    if stride == 1:
        yield from problems_of_stride_1(m, taps)
        return
    for conv in problems3x3(m):
        for more in (0, -1):  # the last row and column are seen, or not
            ih, iw = max(1, 2 * conv.ih + more), max(1, 2 * conv.iw + more)
            yield replace(conv, ih=ih, iw=iw, stride=(2, 2))
    yield conv3x3(5, 7, 2 * m, 4 * m, padding=(0, 1, 0, 1), stride=2)
    for size in ((3, 3), (1, 1), (2, 1)):
        yield conv3x3(5, 18, *size, stride=2)


def problems_of_stride_1(m, taps):
    for conv in problems3x3(m):
        more = 0 if min(conv.ih, conv.iw) >= taps else taps - 3
        padding = tuple(p + taps - 3 if p == 1 else p + more for p in conv.padding)
        yield replace(conv, kh=taps, kw=taps, padding=padding)


def problems3x3(m):
    channels = [(1, 1), (3, 5), (4, 16), (5, 17), (8, 3), (15, 33), (16, 64), (17, 70), (33, 15), (2, 130)]
    sizes = [1, 2, m - 1, m, m + 1, m + 2, m + 3, 2 * m, 2 * m + 1, 3 * m + 2]
    for i, (ic, oc) in enumerate(channels):
        yield conv3x3(ic, oc, sizes[i], sizes[-1 - i])
    yield conv3x3(5, 7, m + 2, 2 * m + 2, padding=(0, 0, 0, 0))
    yield conv3x3(5, 7, 3, 3, padding=(0, 0, 0, 0))
    yield conv3x3(3, 9, 2, 5, padding=(0, 3, 2, 9))
    yield conv3x3(17, 19, 7, 7, mb=3)
    yield conv3x3(4, 4, 5, 5, mb=0)


@pytest.mark.parametrize("m, taps, stride", winograd.SIZES)
def test_matrices_convolve(m, taps, stride):
    """The test's own transforms are right, else the bound means nothing."""
    conv = conv3x3(3, 2, 2 * m + 1, m + 3, padding=(0, 1, 2, 0), taps=taps, stride=stride)
    x, weight, _ = conv.arrays(seeded(conv), reals)
    want = reference.conv2d(x, weight, **conv.options)
    np.testing.assert_allclose(winograd.transform(m, x, weight, conv.padding, stride=stride), want, atol=1e-11)


@pytest.mark.parametrize("where", ["end", "begin"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_around_its_tile(row, where):
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")
    name = row.name[: len("winograd_f2")]
    for conv in problems(row.tile[0], taps_of(row), stride_of(row)):
        arrays = conv.arrays(seeded(conv), reals)
        options = {"algorithm": name, "kernel": row.name, "where": where}
        for operands in (arrays, (*arrays[:2], None)):
            got = run.run_plan(conv, *operands, **options)
            run.check_bounded(conv, operands, got, row.name, algorithm=name)


@pytest.mark.parametrize("row", [r for r in ROWS if r.tile[0] + taps_of(r) == 5], ids=lambda row: row.name)
def test_f2_is_exact_on_small_integers(row):
    """Its transforms add, subtract and halve only."""
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")
    for conv in problems(2, 3, stride_of(row)):
        arrays = conv.arrays(seeded(conv), integers)
        got = run.run_plan(conv, *arrays, algorithm="winograd_f2", kernel=row.name)
        run.check_exact(conv, arrays, got, row.name)


@pytest.mark.parametrize("name, taps, stride", NAMES)
def test_same_bits_on_every_instruction_set_and_thread_count(name, taps, stride):
    sizes = ((19, 37, 11, 13, 2), (70, 150, 9, 6, 1), (200, 140, 5, 5, 1))
    for conv in (conv3x3(ic, oc, h, w, mb=mb, taps=taps, stride=stride) for ic, oc, h, w, mb in sizes):
        arrays = conv.arrays(seeded(conv), reals)
        want = run.run_plan(conv, *arrays, algorithm=name, max_isa="scalar", threads=1)
        for isa in run.ISAS:
            for threads in (1, 2, 5):
                for layout in ("nchw", "nhwc"):
                    got = run.run_plan(conv, *arrays, algorithm=name, max_isa=isa, threads=threads,
                                       layout=layout)  # fmt: skip
                    assert_same_bits(got, want, f"{name} {isa} {threads} {layout}")


@pytest.mark.parametrize("name, taps, stride", NAMES)
def test_batch_does_not_change_bits(name, taps, stride):
    conv = conv3x3(9, 20, 7, 10, mb=3, taps=taps, stride=stride)
    x, weight, bias = conv.arrays(seeded(conv), reals)
    together = run.run_plan(conv, x, weight, bias, algorithm=name)
    one = conv3x3(9, 20, 7, 10, taps=taps, stride=stride)
    for i in range(3):
        alone = run.run_plan(one, x[i : i + 1], weight, bias, algorithm=name)
        assert_same_bits(alone, together[i : i + 1], name)


@pytest.mark.parametrize("name, taps, stride", NAMES)
def test_clamps_are_folded_in(name, taps, stride):
    conv = conv3x3(6, 21, 9, 8, taps=taps, stride=stride)
    arrays = conv.arrays(seeded(conv), integers)
    plain = run.run_plan(conv, *arrays, algorithm=name)
    for activation, want in (("relu", np.maximum(plain, 0)), ("relu6", np.clip(plain, 0, 6))):
        got = run.run_plan(conv, *arrays, algorithm=name, activation=activation)
        assert_same_bits(got + np.float32(0), want + np.float32(0), f"{name} {activation}")


@pytest.mark.parametrize("name, taps, stride", NAMES)
def test_nan_and_infinity_reach_their_outputs(name, taps, stride):
    conv = conv3x3(3, 4, 20, 20, taps=taps, stride=stride)
    x, weight, bias = conv.arrays(seeded(conv), reals)
    weight[weight == 0] = 1
    for value, activation in ((np.nan, "relu"), (np.inf, None)):
        x[0, 1, 10, 9] = value
        got = run.run_plan(conv, x, weight, bias, algorithm=name, activation=activation)
        seen = got[0, :, 9:12, 8:11] if stride == 1 else got[0, :, 5:6, 4:6]
        assert not np.isfinite(seen).any()
        assert np.isfinite(got[0, :, :3, :]).all()


@pytest.mark.parametrize("name, taps, stride", NAMES)
def test_accuracy_of_a_layer(name, taps, stride):
    rng = np.random.default_rng(7)
    conv = conv3x3(128, 64, 24, 24, taps=taps, stride=stride)
    x = rng.standard_normal(conv.x_shape).astype(np.float32)
    weight = (rng.standard_normal(conv.weight_shape) / np.sqrt(conv.terms)).astype(np.float32)
    want = reference.conv2d(x, weight, **conv.options)
    got = run.run_plan(conv, x, weight, None, algorithm=name)
    assert np.abs(got - want).max() <= ACCURACY[winograd.TILES[name] + taps - 1] * np.abs(want).max()


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"kh": 5, "ih": 9}, "the kernel is 5x3, not 3x3 or 5x5"),
        ({"stride": (2, 1)}, "the stride is 2x1, not 1x1 or 2x2"),
        ({"stride": (3, 3)}, "the stride is 3x3, not 1x1 or 2x2"),
        ({"dilation": (1, 2), "iw": 9}, "the dilation is 1x2, not 1"),
        ({"g": 2}, "the convolution has 2 groups, not one"),
    ],
)
def test_refusals(change, reason):
    conv = Conv(**{"ic": 4, "oc": 4, "ih": 6, "iw": 6, "kh": 3, "kw": 3, **change})
    said = {e.name: e.reason for e in run.entries(conv)}
    of_f6 = reason.replace(" or 5x5", "").replace("1x1 or 2x2", "1")
    assert [said[name] for name in winograd.TILES] == [reason, reason, of_f6]


def test_stride_2_is_for_3x3_and_two_sizes():
    said = {e.name: e.reason for e in run.entries(conv3x3(4, 4, 9, 9, stride=2))}
    assert [said[name] for name in winograd.TILES] == ["", "", "the stride is 2x2, not 1"]
    said = {e.name: e.reason for e in run.entries(conv3x3(4, 4, 9, 9, taps=5, stride=2))}
    assert said["winograd_f2"] == said["winograd_f4"] == "the stride is 2x2, not 1"


@pytest.mark.parametrize("row", [k.name for k in pyconv.kernels() if k.available and "winograd" in k.name])
def test_a_row_of_another_size_refuses(row):
    taps, stride = 5 if "5x5" in row else 3, 2 if "_s2_" in row else 1
    for ic, oc, ih, iw in ((3, 7, 4, 4), (129, 127, 7, 10)):
        conv = conv3x3(ic, oc, ih, iw, taps=taps, stride=stride)
        said = {e.name: e.reason for e in run.entries(conv, kernel=row)}
        for name in winograd.TILES:
            of_this_row = f"{name}_" in row
            assert (said[name] == "") == of_this_row
            if name == "winograd_f6" and taps == 5:
                assert said[name] == "the kernel is 5x5, not 3x3"
            elif name == "winograd_f6" and stride == 2:
                assert said[name] == "the stride is 2x2, not 1"
            else:
                assert of_this_row or f"kernel '{row}' is no gemm or {name} row" in said[name]


def test_exact_mode_refuses():
    said = {e.name: e.reason for e in run.entries(conv3x3(8, 8, 8, 8), accuracy="exact")}
    for name in winograd.TILES:
        assert said[name] == "accuracy is exact, and transforms round differently"


@pytest.mark.parametrize("stride", [1, 2])
def test_workspace_is_stated_beforehand(stride):
    conv = conv3x3(64, 64, 30, 30, stride=stride)
    _, weight, _ = conv.arrays(seeded(conv), reals)
    stated = {e.name: e.workspace_bytes for e in run.entries(conv, threads=1, layout="nhwc")}
    for name in (name for name, taps, s in NAMES if (taps, s) == (3, stride)):
        plan = pyconv.Conv2dPlan(run.problem(conv), weight, algorithm=name, threads=1, layout="nhwc")
        assert plan.workspace_bytes == stated[name] > 0


def test_a_plan_of_stride_2_takes_a_transform():
    """By the estimates of this CPU, where there are enough channels and pixels."""
    conv = conv3x3(128, 256, 56, 56, stride=2)
    _, weight, _ = conv.arrays(seeded(conv), reals)
    plan = pyconv.Conv2dPlan(run.problem(conv), weight, threads=1)
    assert plan.algorithm in winograd.TILES


def test_cost_counts_packing_when_the_plan_is_for_one_run():
    """A one-shot call does not transform the weights for a few pixels."""
    conv = conv3x3(128, 128, 8, 8)
    x, weight, _ = conv.arrays(seeded(conv), reals)
    exact = pyconv.conv2d(x, weight, padding=1, accuracy="exact")
    np.testing.assert_array_equal(pyconv.conv2d(x, weight, padding=1), exact)
    plan = pyconv.Conv2dPlan(run.problem(conv), weight, threads=1)
    assert plan.algorithm in winograd.TILES
