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
# have with prototypes. 5x5 filters share the tiles and their transforms.
ACCURACY = {4: 1e-6, 6: 1.4e-5, 8: 1.9e-5}


NAMES = [(f"winograd_f{m}", taps) for m, taps in winograd.SIZES]


def conv3x3(ic, oc, ih, iw, padding=(1, 1, 1, 1), mb=1, taps=3):
    return Conv(mb=mb, ic=ic, oc=oc, ih=ih, iw=iw, kh=taps, kw=taps, padding=padding)


def taps_of(row):
    return 5 if "5x5" in row.name else 3


def problems(m, taps):
    """Around the tile in both directions, around the vectors in channels, any padding."""
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


@pytest.mark.parametrize("m, taps", winograd.SIZES)
def test_matrices_convolve(m, taps):
    """The test's own transforms are right, else the bound means nothing."""
    conv = conv3x3(3, 2, 2 * m + 1, m + 3, padding=(0, 1, 2, 0), taps=taps)
    x, weight, _ = conv.arrays(seeded(conv), reals)
    want = reference.conv2d(x, weight, **conv.options)
    np.testing.assert_allclose(winograd.transform(m, x, weight, conv.padding), want, atol=1e-11)


@pytest.mark.parametrize("where", ["end", "begin"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_around_its_tile(row, where):
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")
    name = row.name[: len("winograd_f2")]
    for conv in problems(row.tile[0], taps_of(row)):
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
    for conv in problems(2, 3):
        arrays = conv.arrays(seeded(conv), integers)
        got = run.run_plan(conv, *arrays, algorithm="winograd_f2", kernel=row.name)
        run.check_exact(conv, arrays, got, row.name)


@pytest.mark.parametrize("name, taps", NAMES)
def test_same_bits_on_every_instruction_set_and_thread_count(name, taps):
    sizes = ((19, 37, 11, 13, 2), (70, 150, 9, 6, 1), (200, 140, 5, 5, 1))
    for conv in (conv3x3(ic, oc, h, w, mb=mb, taps=taps) for ic, oc, h, w, mb in sizes):
        arrays = conv.arrays(seeded(conv), reals)
        want = run.run_plan(conv, *arrays, algorithm=name, max_isa="scalar", threads=1)
        for isa in run.ISAS:
            for threads in (1, 2, 5):
                for layout in ("nchw", "nhwc"):
                    got = run.run_plan(conv, *arrays, algorithm=name, max_isa=isa, threads=threads,
                                       layout=layout)  # fmt: skip
                    assert_same_bits(got, want, f"{name} {isa} {threads} {layout}")


@pytest.mark.parametrize("name, taps", NAMES)
def test_batch_does_not_change_bits(name, taps):
    conv = conv3x3(9, 20, 7, 10, mb=3, taps=taps)
    x, weight, bias = conv.arrays(seeded(conv), reals)
    together = run.run_plan(conv, x, weight, bias, algorithm=name)
    one = conv3x3(9, 20, 7, 10, taps=taps)
    for i in range(3):
        alone = run.run_plan(one, x[i : i + 1], weight, bias, algorithm=name)
        assert_same_bits(alone, together[i : i + 1], name)


@pytest.mark.parametrize("name, taps", NAMES)
def test_clamps_are_folded_in(name, taps):
    conv = conv3x3(6, 21, 9, 8, taps=taps)
    arrays = conv.arrays(seeded(conv), integers)
    plain = run.run_plan(conv, *arrays, algorithm=name)
    for activation, want in (("relu", np.maximum(plain, 0)), ("relu6", np.clip(plain, 0, 6))):
        got = run.run_plan(conv, *arrays, algorithm=name, activation=activation)
        assert_same_bits(got + np.float32(0), want + np.float32(0), f"{name} {activation}")


@pytest.mark.parametrize("name, taps", NAMES)
def test_nan_and_infinity_reach_their_outputs(name, taps):
    conv = conv3x3(3, 4, 20, 20, taps=taps)
    x, weight, bias = conv.arrays(seeded(conv), reals)
    weight[weight == 0] = 1
    for value, activation in ((np.nan, "relu"), (np.inf, None)):
        x[0, 1, 10, 9] = value
        got = run.run_plan(conv, x, weight, bias, algorithm=name, activation=activation)
        assert not np.isfinite(got[0, :, 9:12, 8:11]).any()
        assert np.isfinite(got[0, :, :3, :]).all()


@pytest.mark.parametrize("name, taps", NAMES)
def test_accuracy_of_a_layer(name, taps):
    rng = np.random.default_rng(7)
    conv = conv3x3(128, 64, 24, 24, taps=taps)
    x = rng.standard_normal(conv.x_shape).astype(np.float32)
    weight = (rng.standard_normal(conv.weight_shape) / np.sqrt(conv.terms)).astype(np.float32)
    want = reference.conv2d(x, weight, **conv.options)
    got = run.run_plan(conv, x, weight, None, algorithm=name)
    assert np.abs(got - want).max() <= ACCURACY[winograd.TILES[name] + taps - 1] * np.abs(want).max()


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"kh": 5, "ih": 9}, "the kernel is 5x3, not 3x3 or 5x5"),
        ({"stride": (2, 1)}, "the stride is 2x1, not 1"),
        ({"dilation": (1, 2), "iw": 9}, "the dilation is 1x2, not 1"),
        ({"g": 2}, "the convolution has 2 groups, not one"),
    ],
)
def test_refusals(change, reason):
    conv = Conv(**{"ic": 4, "oc": 4, "ih": 6, "iw": 6, "kh": 3, "kw": 3, **change})
    said = {e.name: e.reason for e in run.entries(conv)}
    assert [said[name] for name in winograd.TILES] == [reason, reason, reason.removesuffix(" or 5x5")]


@pytest.mark.parametrize("row", [k.name for k in pyconv.kernels() if k.available and "winograd" in k.name])
def test_a_row_of_another_size_refuses(row):
    taps = 5 if "5x5" in row else 3
    for conv in (conv3x3(3, 7, 4, 4, taps=taps), conv3x3(129, 127, 7, 10, taps=taps)):
        said = {e.name: e.reason for e in run.entries(conv, kernel=row)}
        for name in winograd.TILES:
            of_this_row = f"{name}_" in row
            assert (said[name] == "") == of_this_row
            if name == "winograd_f6" and taps == 5:
                assert said[name] == "the kernel is 5x5, not 3x3"
            else:
                assert of_this_row or f"kernel '{row}' is no gemm or {name} row" in said[name]


def test_exact_mode_refuses():
    said = {e.name: e.reason for e in run.entries(conv3x3(8, 8, 8, 8), accuracy="exact")}
    for name in winograd.TILES:
        assert said[name] == "accuracy is exact, and transforms round differently"


def test_workspace_is_stated_beforehand():
    conv = conv3x3(64, 64, 30, 30)
    _, weight, _ = conv.arrays(seeded(conv), reals)
    stated = {e.name: e.workspace_bytes for e in run.entries(conv, threads=1, layout="nhwc")}
    for name in winograd.TILES:
        plan = pyconv.Conv2dPlan(run.problem(conv), weight, algorithm=name, threads=1, layout="nhwc")
        assert plan.workspace_bytes == stated[name] > 0


def test_cost_counts_packing_when_the_plan_is_for_one_run():
    """A one-shot call does not transform the weights for a few pixels."""
    conv = conv3x3(128, 128, 8, 8)
    x, weight, _ = conv.arrays(seeded(conv), reals)
    exact = pyconv.conv2d(x, weight, padding=1, accuracy="exact")
    np.testing.assert_array_equal(pyconv.conv2d(x, weight, padding=1), exact)
    plan = pyconv.Conv2dPlan(run.problem(conv), weight, threads=1)
    assert plan.algorithm in winograd.TILES
