"""Every registry row that convolves, around the edges of its tile: exact, bounded, guarded."""

from __future__ import annotations

from itertools import product

import pytest

pyconv = pytest.importorskip("pyconv")

from support import conv as run  # noqa: E402
from support.arrays import integers, reals  # noqa: E402
from support.problems import Conv, seeded  # noqa: E402

FAMILIES = {"gemm", "direct", "reference", "depthwise", "grouped"}
ROWS = [k for k in pyconv.kernels() if k.family in FAMILIES]


def around(tile):
    return sorted({1, max(1, tile - 1), max(1, tile), tile + 1, 2 * tile + 1})


def problems(row):
    """Pixels and channels around the tile; few input channels, around the unrolling."""
    pixels, channels = (around(min(size, 64)) for size in row.tile)
    for i, (width, oc) in enumerate(product(pixels, channels)):
        depth = (1, 3, 4, 5, 8, 11)[i % 6]
        yield Conv(ic=depth, oc=oc, ih=1 + i % 2, iw=width)
        yield Conv(ic=depth, oc=oc, ih=2, iw=width, kh=3, kw=3, padding=(1, 1, 1, 1))
        if i % 3 == 0:
            yield Conv(g=2, ic=2 * depth, oc=2 * oc, ih=3, iw=2 * width, kh=2, kw=1, stride=(1, 2))
        if row.family in ("depthwise", "grouped"):
            sides = {"ih": 4, "iw": width + 1, "padding": (1, 0, 1, 1)}
            for size, step in product((3, 5, 7), (1, 2)):
                sides["iw"] = (width - 1) * step + size - 1 + i % 2
                yield Conv(g=oc, ic=oc, oc=oc, kh=3, kw=size, stride=(1, step), **sides)
            yield Conv(g=oc, ic=oc, oc=oc, kh=5, kw=2, stride=(2, 2), **sides)
            yield Conv(g=2, ic=8, oc=2 * (1 + i % 9), kh=3, kw=3, **sides)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_around_its_tile(row):
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")
    tried = 0
    for conv in problems(row):
        for name in run.accepting(conv, kernel=row.name, accuracy="exact"):
            tried += 1
            options = {"algorithm": name, "kernel": row.name, "accuracy": "exact"}
            what = f"{name} by {row.name}"
            for where, fill, check in (
                ("end", integers, run.check_exact),
                ("begin", reals, run.check_bounded),
            ):
                arrays = conv.arrays(seeded(conv), fill)
                got = run.run_plan(conv, *arrays, where=where, **options)
                check(conv, arrays, got, what)
    assert tried, "no algorithm uses this row"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_forced_row_is_the_one_that_runs(row):
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")
    for conv in problems(row):
        for name in run.accepting(conv, kernel=row.name, accuracy="exact"):
            _, weight, bias = conv.arrays(seeded(conv), integers)
            plan = pyconv.Conv2dPlan(
                run.problem(conv), weight, bias, algorithm=name, kernel=row.name, accuracy="exact"
            )
            used = plan.describe()["kernels"]
            assert used[0] == row.name and all(name.endswith(row.isa) for name in used)
