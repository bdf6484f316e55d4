"""Every registry row that convolves, around the edges of its tile: exact, bounded, guarded."""

from __future__ import annotations

from itertools import product

import pytest

pyconv = pytest.importorskip("pyconv")

from support import conv as run  # noqa: E402
from support.arrays import integers, reals  # noqa: E402
from support.problems import Conv, seeded  # noqa: E402


def around(tile):
    return sorted({1, max(1, tile - 1), max(1, tile), tile + 1, 2 * tile + 1})


def matrix_problems(row):
    """Pixels and channels around the tile; few input channels, around the unrolling."""
    pixels, channels = (around(size) for size in row.tile)
    for i, (width, oc) in enumerate(product(pixels, channels)):
        depth = (1, 3, 4, 5, 8, 11)[i % 6]
        yield Conv(ic=depth, oc=oc, ih=1 + i % 2, iw=width)
        yield Conv(ic=depth, oc=oc, ih=2, iw=width, kh=3, kw=3, padding=(1, 1, 1, 1))
        if i % 3 == 0:
            yield Conv(g=2, ic=2 * depth, oc=2 * oc, ih=3, iw=2 * width, kh=2, kw=1, stride=(1, 2))


def planar_problems(row):
    """Pixels around the tile and around a vector, rows around those of a tile; every channel count up to two tiles."""
    width, channels = row.tile
    for i, pixels in enumerate(sorted({1, 3, 4, 5, 7, 8, 9, 15, 16, 17, *around(width)})):
        oc = 1 + i % (2 * channels + 1)
        yield Conv(ic=1 + i % 3, oc=oc, ih=2, iw=pixels, kh=3, kw=3, padding=(1, 1, 1, 1))
        yield Conv(mb=2, ic=3, oc=channels, ih=3, iw=pixels, stride=(2, 1))
        yield Conv(g=2, ic=4, oc=2 * oc, ih=4, iw=pixels + 4, kh=1, kw=3, dilation=(1, 2))
    for height, pixels in product((2, 3, 5, 8, 9), (5, width // 4, width // 2)):
        yield Conv(mb=1 + height % 2, ic=2, oc=channels + 1, ih=height, iw=pixels + 3, kh=1, kw=3)


def depthwise_problems(row):
    """Channels around the vector, columns around the tile, one to five rows; sizes 3, 5, 7, 2x4."""
    columns, channels = (around(size) for size in row.tile)
    kernels = [(3, 3, 1), (5, 5, 2), (7, 7, 3), (2, 4, 1)]
    for i, (width, c) in enumerate(product(columns, channels)):
        for (kh, kw, pad), stride in product(kernels, (1, 2)):
            oh, top = 1 + i % 5, (0, 1, pad)[i % 3]
            ih = max(1, (oh - 1) * stride + kh - top - pad)
            iw = max(1, (width - 1) * stride + kw - 2 * pad)
            if iw + 2 * pad >= kw:
                sides = {"padding": (top, pad, pad, pad), "stride": (stride, stride)}
                yield Conv(g=c, ic=c, oc=c, ih=ih, iw=iw, kh=kh, kw=kw, **sides)
        yield Conv(g=c, ic=c, oc=2 * c, ih=9, iw=width + 5, kh=3, kw=3, dilation=(2, 3), padding=(1, 1, 1, 1))


def grouped_problems(row):
    """Groups around the number that fills a vector, columns around the tile; sizes 3 and 2x1."""
    columns, lanes = row.tile
    sizes = [(1, 1), (4, 4), (2, 3), (3, 1), (1, 4), (lanes, lanes), (lanes - 1, 2)]
    for i, (width, (icg, ocg)) in enumerate(product(around(columns), sizes)):
        for g, stride in product(around(max(1, lanes // max(icg, ocg)))[:4], (1, 2)):
            channels = {"g": g, "ic": g * icg, "oc": g * ocg, "stride": (stride, stride)}
            pad = i % 3
            iw = max(1, (width - 1) * stride + 3 - 2 * pad)
            yield Conv(**channels, ih=2 + i % 4, iw=iw, kh=3, kw=3, padding=(1, 1, pad, pad))
        yield Conv(g=3, ic=3 * icg, oc=3 * ocg, ih=4, iw=width + 2, kh=2, kw=1, dilation=(2, 1))


PROBLEMS = {
    "gemm": matrix_problems,
    "direct": matrix_problems,
    "grouped": grouped_problems,
    "planar": planar_problems,
    "depthwise": depthwise_problems,
    "reference": planar_problems,
}
ROWS = [k for k in pyconv.kernels() if k.family in PROBLEMS]


def test_every_row_that_convolves_is_tested():
    """Winograd has its own file; any other family that a plan names belongs into PROBLEMS."""
    family = {k.name: k.family for k in pyconv.kernels()}
    shapes = [
        Conv(ic=33, oc=40, ih=9, iw=9, kh=3, kw=3, padding=(1, 1, 1, 1)),
        Conv(ic=3, oc=2, ih=9, iw=40, kh=3, kw=3),
        Conv(ic=20, oc=30, ih=5, iw=5),
        Conv(g=16, ic=64, oc=64, ih=9, iw=9, kh=3, kw=3),
        Conv(g=16, ic=16, oc=32, ih=9, iw=9, kh=4, kw=3, stride=(2, 2)),
    ]
    for conv in shapes:
        weight = conv.arrays(seeded(conv), integers)[1]
        for layout in ("nhwc", "nchw"):
            for name in run.accepting(conv, layout=layout):
                plan = pyconv.Conv2dPlan(run.problem(conv), weight, algorithm=name, layout=layout)
                used = {family[kernel] for kernel in plan.describe()["kernels"]}
                assert used <= {*PROBLEMS, "winograd"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_around_its_tile(row):
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")
    tried = 0
    for conv in PROBLEMS[row.family](row):
        for layout in ("nhwc", "nchw"):
            force = {"kernel": row.name, "layout": layout, "accuracy": "exact"}
            for name in run.accepting(conv, **force):
                tried += 1
                for where, fill, check in (
                    ("end", integers, run.check_exact),
                    ("begin", reals, run.check_bounded),
                ):
                    arrays = conv.arrays(seeded(conv), fill)
                    got = run.run_plan(conv, *arrays, where=where, algorithm=name, **force)
                    check(conv, arrays, got, f"{name} by {row.name} in {layout}")
    assert tried, "no algorithm uses this row"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_forced_row_is_the_one_that_runs(row):
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")
    for conv in PROBLEMS[row.family](row):
        for name in run.accepting(conv, kernel=row.name, accuracy="exact"):
            _, weight, bias = conv.arrays(seeded(conv), integers)
            plan = pyconv.Conv2dPlan(
                run.problem(conv), weight, bias, algorithm=name, kernel=row.name, accuracy="exact"
            )
            used = plan.describe()["kernels"]
            assert used[0] == row.name and all(name.endswith(row.isa) for name in used)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_forced_row_packs_no_more_than_its_panels(row):
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")
    conv = Conv(ic=64, oc=4 * row.tile[1], ih=9, iw=9, kh=3, kw=3)
    weight = conv.arrays(seeded(conv), integers)[1]
    for name in run.accepting(conv, kernel=row.name, accuracy="exact"):
        plan = pyconv.Conv2dPlan(run.problem(conv), weight, algorithm=name, kernel=row.name, accuracy="exact")
        assert plan.packed_bytes <= 1.25 * weight.nbytes + 8192, name
