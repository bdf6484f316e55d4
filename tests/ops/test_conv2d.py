"""conv2d and Conv2dPlan: semantics of arguments, blocking edges, non-finite values, torch."""

from __future__ import annotations

import threading

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402

import reference  # noqa: E402
from support import conv as run  # noqa: E402
from support.arrays import assert_bounded, assert_same_bits, integers, nan_like, reals  # noqa: E402
from support.problems import Conv, seeded  # noqa: E402


@pytest.fixture
def rng():
    return np.random.default_rng(5)


PADDINGS = {
    "int": (1, (1, 1, 1, 1)),
    "pair": ((2, 1), (2, 2, 1, 1)),
    "four sides": ((0, 1, 2, 3), (0, 1, 2, 3)),
    "list": ([1, 0], (1, 1, 0, 0)),
    "valid": ("valid", (0, 0, 0, 0)),
    "same": ("same", (1, 1, 2, 2)),
}


@pytest.mark.parametrize("form", PADDINGS)
def test_padding_forms(form, rng):
    given, sides = PADDINGS[form]
    x, weight = integers(rng, (2, 3, 8, 9)), integers(rng, (4, 3, 3, 5))
    want = reference.conv2d(x, weight, padding=sides) + 0.0
    assert_same_bits(pyconv.conv2d(x, weight, padding=given), want.astype(np.float32), form)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_same_padding_gives_size_over_stride(stride, rng):
    for size, kernel, dilation in ((7, 3, 1), (8, 4, 1), (9, 2, 3), (5, 1, 1)):
        x, weight = integers(rng, (1, 1, size, size)), integers(rng, (1, 1, kernel, kernel))
        got = pyconv.conv2d(x, weight, stride=stride, padding="same", dilation=dilation)
        assert got.shape == (1, 1, -(-size // stride), -(-size // stride))
        total = max(0, (got.shape[2] - 1) * stride + (kernel - 1) * dilation + 1 - size)
        sides = (total // 2, total - total // 2) * 2  # the odd pixel stands at the end
        want = reference.conv2d(x, weight, stride=stride, padding=sides, dilation=dilation)
        assert_same_bits(got, (want + 0.0).astype(np.float32))


CONV = Conv(2, 1, 5, 7, 6, 8, 3, 2, (2, 1), (1, 0, 1, 1), (1, 2))


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_memory_order_of_inputs_does_not_matter(layout, rng):
    x, weight, bias = CONV.arrays(rng, reals)
    x = run.to_layout(x, layout)
    options = {**CONV.options, "layout": layout, "accuracy": "exact"}
    want = pyconv.conv2d(x, weight, bias, **options)
    gaps = np.zeros((*x.shape, 2), np.float32)
    gaps[..., 0] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.float32, offset=1).reshape(x.shape)
    for other in (np.asfortranarray(x), gaps[..., 0], read_only, x[::-1].copy()[::-1], unaligned):
        assert_same_bits(pyconv.conv2d(other, weight, bias, **options), want)
    backwards = weight[::-1].copy()[::-1]
    assert_same_bits(pyconv.conv2d(x, np.asfortranarray(weight), bias, **options), want)
    assert_same_bits(pyconv.conv2d(x, backwards, bias[::-1].copy()[::-1], **options), want)


def test_broadcast_input(rng):
    x, (_, weight, bias) = integers(rng, (1, 1, 1, 8)), CONV.arrays(rng, integers)
    wide = np.broadcast_to(x, CONV.x_shape)
    want = pyconv.conv2d(wide.copy(), weight, bias, **CONV.options)
    assert_same_bits(pyconv.conv2d(wide, weight, bias, **CONV.options), want)


def test_out_is_filled_and_returned(rng):
    arrays = CONV.arrays(rng, integers)
    out = nan_like(CONV.dst_shape)
    assert pyconv.conv2d(*arrays, **CONV.options, out=out) is out
    run.check_exact(CONV, arrays, out, "out")
    plan = pyconv.Conv2dPlan(run.problem(CONV), *arrays[1:])
    out[:] = np.nan
    assert plan(arrays[0], out=out) is out
    run.check_exact(CONV, arrays, out, "plan out")


def test_plan_keeps_its_own_weights(rng):
    x, weight, bias = CONV.arrays(rng, integers)
    plan = pyconv.Conv2dPlan(str(run.problem(CONV)), weight, bias)
    want = plan(x)
    weight[:], bias[:] = np.nan, np.nan
    assert_same_bits(plan(x), want)


def test_problem_prints_and_parses():
    problem = run.problem(CONV)
    again = pyconv.Conv2dProblem(str(problem))
    assert again == problem and hash(again) == hash(problem) and str(again) == str(problem)
    assert (problem.oh, problem.ow) == CONV.dst_shape[2:] and problem.macs == CONV.macs
    assert pyconv.Conv2dProblem("g1ic32oc64_ih112kh3sh1ph1").ow == 112
    assert problem != pyconv.Conv2dProblem("ic5oc7_ih6kh1")


EMPTY = [
    Conv(mb=0, ic=3, oc=2, ih=4, iw=4, kh=3, kw=3),
    Conv(mb=2, ic=0, oc=3, ih=4, iw=4, kh=3, kw=3),
    Conv(mb=2, ic=3, oc=0, ih=4, iw=4, kh=3, kw=3),
    Conv(mb=1, ic=2, oc=2, ih=0, iw=3, kh=2, kw=1, padding=(1, 1, 0, 0)),
    Conv(mb=2, g=2, ic=0, oc=4, ih=3, iw=3),
]


@pytest.mark.parametrize("conv", EMPTY, ids=lambda c: f"{c.x_shape}{c.weight_shape}")
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_nothing_to_sum_leaves_the_bias(conv, layout, rng):
    arrays = conv.arrays(rng, integers)
    for name in run.accepting(conv, layout=layout):
        got = run.run_plan(conv, *arrays, layout=layout, algorithm=name)
        run.check_exact(conv, arrays, got, name)


# Larger than one block of rows, of channels, of taps, of panels.
BLOCKS = [
    Conv(1, 1, 1500, 70, 3, 5),
    Conv(1, 1, 300, 130, 4, 5, 3, 3, padding=(1, 1, 1, 1)),
    Conv(1, 1, 3, 5, 70, 67, 2, 2, padding=(1, 0, 0, 1)),
    Conv(2, 1, 2, 200, 5, 5, 3, 3, stride=(2, 2)),
    Conv(1, 1, 1, 1, 20, 20, 19, 17, padding=(9, 9, 8, 8)),
    Conv(1, 1, 1100, 3, 2, 2, 2, 2),
    Conv(1, 3, 96, 96, 9, 9, 3, 3, padding=(1, 1, 1, 1)),
    Conv(1, 40, 40, 40, 12, 12, 5, 5, padding=(2, 2, 2, 2)),
]


@pytest.mark.parametrize("conv", BLOCKS, ids=lambda c: str(run.problem(c)))
def test_beyond_one_block(conv):
    exact, real = conv.arrays(seeded(conv), integers), conv.arrays(seeded(conv), reals)
    want = reference.conv2d(*exact, **conv.options)
    for isa in run.ISAS:
        for name in run.accepting(conv, max_isa=isa):
            if name == "reference" and conv.macs > 3e6:
                continue
            options = {"algorithm": name, "max_isa": isa, "threads": 3}
            factor = run.TRANSFORMS.get(name)
            if factor is None:
                run.check_exact(conv, exact, run.run_plan(conv, *exact, **options), name, want)
            got = run.run_plan(conv, *real, where="begin", **options)
            run.check_bounded(conv, real, got, f"{name} {isa}", factor or 1.0)


SPECIAL = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("value", SPECIAL)
@pytest.mark.parametrize("where", ["input", "weight", "bias"])
def test_non_finite_values_follow_ieee(value, where):
    """Padding is +0 and takes part: an infinite weight over it gives NaN, in every algorithm."""
    for conv in (Conv(1, 1, 3, 5, 5, 6, 3, 3, (1, 1), (1, 1, 2, 0)), Conv(1, 2, 4, 34, 4, 3),
                 Conv(1, 6, 6, 6, 6, 6, 3, 3, (1, 1), (1, 1, 1, 1))):  # fmt: skip
        arrays = conv.arrays(seeded(conv), integers)
        target = arrays[("input", "weight", "bias").index(where)]
        target.ravel()[target.size // 2] = value
        with np.errstate(invalid="ignore"):
            want = (reference.conv2d(*arrays, **conv.options) + 0.0).astype(np.float32)
        for isa in run.ISAS:
            for name in run.accepting(conv, max_isa=isa):
                if name in run.TRANSFORMS:
                    continue
                got = run.run_plan(conv, *arrays, algorithm=name, max_isa=isa)
                assert_same_bits(got, want, f"{name} {isa} {run.problem(conv)}")


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_clamps_pass_nan_on(activation):
    conv = Conv(1, 1, 2, 19, 3, 4)
    arrays = conv.arrays(seeded(conv), integers)
    arrays[0][0, 0, 0, 0], arrays[0][0, 0, 1, 1] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        want = getattr(reference, activation)(reference.conv2d(*arrays))
    for isa in run.ISAS:
        for name in run.accepting(conv, max_isa=isa):
            got = run.run_plan(conv, *arrays, algorithm=name, max_isa=isa, activation=activation)
            assert_same_bits(got, (want + 0.0).astype(np.float32), f"{name} {isa}")


ACTIVATIONS = ["leaky_relu", "elu", "sigmoid", "hard_sigmoid", "silu", "hard_swish", "tanh", "gelu"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_fused_activation_is_the_separate_one(activation):
    if not hasattr(pyconv, activation):
        pytest.skip(f"this build has no pyconv.{activation}")
    function = getattr(pyconv, activation)
    for conv in (CONV, Conv(1, 1, 4, 70, 9, 9, 3, 3, padding=(1, 1, 1, 1)), Conv(2, 4, 12, 24, 5, 4)):
        arrays = conv.arrays(seeded(conv), reals)
        for isa in run.ISAS:
            for name in run.accepting(conv, max_isa=isa, activation=activation):
                for layout in ("nchw", "nhwc"):
                    options = {"algorithm": name, "max_isa": isa, "layout": layout}
                    plain = run.run_plan(conv, *arrays, **options)
                    got = run.run_plan(conv, *arrays, activation=activation, threads=2, **options)
                    assert_same_bits(got, function(plain, max_isa=isa), f"{name} {isa} {layout}")


def test_auto_takes_the_cheapest_that_accepts():
    for conv in (*BLOCKS, CONV, Conv(1, 1, 64, 64, 14, 14, 3, 3, padding=(1, 1, 1, 1))):
        weight = np.zeros(conv.weight_shape, np.float32)
        plan = pyconv.Conv2dPlan(run.problem(conv), weight, layout="nhwc", threads=1)
        seen = run.entries(conv, layout="nhwc", threads=1)
        best = min((e for e in seen if e.accepted and e.name != "separable"), key=lambda e: e.cost)
        described = plan.describe()
        assert described["algorithm"] == plan.algorithm == best.name
        assert described["problem"] == str(run.problem(conv)) and described["macs"] == conv.macs
        assert [e.name for e in described["algorithms"]] == [e.name for e in seen]


def test_callers_share_one_plan():
    """Immutable: eight Python threads get what one gets."""
    conv = Conv(1, 1, 32, 48, 20, 20, 3, 3, padding=(1, 1, 1, 1))
    rng = seeded(conv)
    _, weight, bias = conv.arrays(rng, reals)
    inputs = [reals(rng, conv.x_shape) for _ in range(8)]
    plans = [
        pyconv.Conv2dPlan(run.problem(conv), weight, bias, algorithm=name, threads=2)
        for name in run.accepting(conv)
        if name != "reference"
    ]
    want = [[plan(x) for x in inputs] for plan in plans]
    got = [[None] * 8 for _ in plans]

    def work(i):
        for k, plan in enumerate(plans):
            for _ in range(5):
                got[k][i] = plan(inputs[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for per_plan, expected in zip(got, want):
        for a, b in zip(per_plan, expected):
            assert_same_bits(a, b)


def test_torch_agrees():
    torch = pytest.importorskip("torch")
    for conv in (*BLOCKS, Conv(2, 4, 12, 8, 9, 7, 3, 5, (2, 1), (1, 1, 3, 3), (2, 1))):
        arrays = conv.arrays(seeded(conv), reals)
        x, weight, bias = map(torch.from_numpy, arrays)
        top, bottom, left, right = conv.padding
        x = torch.nn.functional.pad(x.double(), (left, right, top, bottom))
        options = {**conv.options, "padding": 0}
        want = torch.nn.functional.conv2d(x, weight.double(), bias.double(), **options).numpy()
        scale = reference.conv2d_abs(*arrays, **conv.options)
        got = pyconv.conv2d(*arrays, **conv.options, accuracy="exact")
        assert_bounded(got, want, scale, conv.terms, str(run.problem(conv)))
