"""Pointwise over few pixels, and filters as large as their image: matrix times a few vectors."""

from __future__ import annotations

import itertools

import pytest

pyconv = pytest.importorskip("pyconv")

from support import conv as run  # noqa: E402
from support.arrays import assert_same_bits, integers, reals  # noqa: E402
from support.problems import Conv, seeded  # noqa: E402

# Around the kernel's rows (4), its panels' widths, and depths of one term and more.
SHAPES = [
    Conv(mb=mb, ic=ic, oc=oc, ih=ih, iw=iw, kh=kh, kw=kw)
    for (mb, oc), (ic, ih, iw, kh, kw) in itertools.product(
        [(1, 1), (1, 64), (1, 120), (2, 33), (3, 17), (4, 130), (5, 120), (9, 7)],
        [(1, 1, 1, 1, 1), (40, 1, 1, 1, 1), (7, 2, 2, 1, 1), (16, 5, 5, 5, 5), (3, 2, 7, 2, 7), (9, 1, 3, 1, 3)],
    )
] + [
    Conv(mb=2, ic=6, oc=20, ih=3, iw=3, kh=3, kw=3, stride=(2, 2)),
    Conv(mb=1, ic=6, oc=20, ih=3, iw=3, stride=(2, 2)),
    Conv(mb=2, ic=6, oc=20, ih=2, iw=2, stride=(2, 2)),
    Conv(g=2, mb=2, ic=12, oc=20, ih=1, iw=1),
]


@pytest.mark.parametrize("isa", run.ISAS)
@pytest.mark.parametrize("accuracy", ["exact", "fast"])
def test_against_the_reference_between_guard_pages(isa, accuracy):
    for conv, layout in itertools.product(SHAPES, ("nhwc", "nchw")):
        options = {"algorithm": "pointwise", "layout": layout, "accuracy": accuracy, "max_isa": isa}
        for where, fill, check in (("end", integers, run.check_exact), ("begin", reals, run.check_bounded)):
            arrays = conv.arrays(seeded(conv), fill)
            got = run.run_plan(conv, *arrays, where=where, **options)
            check(conv, arrays, got + 0.0, f"pointwise {isa} {accuracy} in {layout}")


def test_exact_bits_are_those_of_every_algorithm_and_isa():
    for conv in SHAPES:
        arrays = conv.arrays(seeded(conv), reals)
        want = None
        for isa in run.ISAS:
            for name in run.accepting(conv, accuracy="exact", max_isa=isa):
                got = run.run_plan(conv, *arrays, algorithm=name, accuracy="exact", max_isa=isa)
                want = got if want is None else want
                assert_same_bits(got, want, f"{name} {isa} on {run.problem(conv)}")


@pytest.mark.parametrize("threads", [1, 2])
def test_activations_follow(threads):
    for activation, alone in (("relu6", lambda x: pyconv.relu(x).clip(max=6)), ("silu", pyconv.silu)):
        for conv in (SHAPES[9], SHAPES[15], Conv(mb=3, ic=300, oc=500, ih=2, iw=2, kh=2, kw=2)):
            arrays = conv.arrays(seeded(conv), reals)
            options = {"accuracy": "exact", "threads": threads, "algorithm": "pointwise"}
            want = alone(run.run_plan(conv, *arrays, **options))
            got = run.run_plan(conv, *arrays, activation=activation, **options)
            assert_same_bits(got, want, f"{activation} on {run.problem(conv)}")


def test_a_filter_as_large_as_its_image_is_pointwise():
    plan_of = {mb: f"mb{mb}ic16oc120_ih5kh5" for mb in (1, 4, 5)}
    weight = integers(seeded(SHAPES[0]), (120, 16, 5, 5))
    for mb, problem in plan_of.items():
        described = pyconv.Conv2dPlan(problem, weight, layout="nhwc").describe()
        assert described["algorithm"] == "pointwise" and described["workspace_bytes"] == 0
        assert described["kernels"][0].startswith("linear" if mb <= 4 else "gemm")
    grouped = Conv(g=2, ic=16, oc=16, ih=3, iw=3, kh=3, kw=3)
    padded = Conv(ic=16, oc=16, ih=3, iw=3, kh=3, kw=3, padding=(1, 1, 1, 1))
    for conv in (grouped, padded):
        assert "pointwise" not in run.accepting(conv)
