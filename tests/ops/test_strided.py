"""Operands as networks lay them out: channels of wider NHWC tensors, layouts mixed, a residual.

Every run is compared bit for bit with the same algorithm on dense NHWC operands, to whose result the
residual and the activation are applied apart.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402
from hypothesis import given, note  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from pyconv import _core  # noqa: E402
from support import conv as run  # noqa: E402
from support.arrays import assert_same_bits, guarded, reals  # noqa: E402
from support.problems import Conv, convs, seeded  # noqa: E402

UNTOUCHED = np.float32(-12345.5)
ACTIVATIONS = {
    None: lambda x: x,
    "relu6": lambda x: np.minimum(np.float32(6), np.maximum(np.float32(0), x)),
    "hard_swish": pyconv.hard_swish,
    "silu": pyconv.silu,
}
LAYOUTS = ("nhwc", "nchw")


def lay_out(array, layout, pixel, around):
    """NCHW to a flat operand; `pixel`: floats from pixel to pixel, 0 when dense."""
    if layout == "nchw":
        return array.ravel()
    rows = array.transpose(0, 2, 3, 1).reshape(-1, array.shape[1])
    if not pixel or rows.size == 0:
        return rows.ravel()
    wide = np.full((len(rows), pixel), around, np.float32)
    wide[:, : rows.shape[1]] = rows
    return wide.ravel()[: wide.size - pixel + rows.shape[1]]


def take_back(flat, shape, layout, pixel):
    """lay_out undone: the array in NCHW and the floats between its pixels."""
    n, c, h, w = shape
    if layout == "nchw":
        return flat.reshape(shape), flat[:0]
    if not pixel or flat.size == 0:
        return flat.reshape(n, h, w, c).transpose(0, 3, 1, 2), flat[:0]
    wide = np.append(flat, np.full(pixel - c, UNTOUCHED)).reshape(-1, pixel)
    return wide[:, :c].reshape(n, h, w, c).transpose(0, 3, 1, 2), wide[:, c:]


def strided(conv, arrays, residual=None, where="end", **options):
    """The result in NCHW; every operand touches a guard page, nothing between pixels may change."""
    x, weight, bias = arrays
    src_layout, dst_layout = (options.get(k, "nhwc") for k in ("src_layout", "dst_layout"))
    pixels = [options.get(f"{k}_pixel", 0) for k in ("src", "dst", "residual")]
    src = guarded(lay_out(x, src_layout, pixels[0], np.nan), where)
    blank = np.full(conv.dst_shape, np.nan, np.float32)
    dst = guarded(lay_out(blank, dst_layout, pixels[1], UNTOUCHED), where)
    if residual is not None:
        residual = guarded(lay_out(residual, dst_layout, pixels[2], np.nan), where)
    flat = [guarded(a.ravel(), where) for a in (weight, bias)]
    _core._run_conv2d(run.problem(conv), *flat, src, dst, residual, options)
    got, between = take_back(dst, conv.dst_shape, dst_layout, pixels[1])
    assert (between == UNTOUCHED).all(), f"{options}: wrote between the pixels"
    return np.ascontiguousarray(got)


def wider(conv, options):
    """Whether an image is not one run of floats, as filters that span it want."""
    return options.get("src_layout", "nhwc") == "nhwc" and options.get("src_pixel", conv.ic) > conv.ic


def check(conv, options, activation, with_residual, where="end"):
    rng = seeded(conv)
    arrays = conv.arrays(rng, reals)
    residual = reals(rng, conv.dst_shape) if with_residual else None
    for accuracy, isa in itertools.product(("exact", "fast"), run.ISAS):
        for name in run.accepting(conv, accuracy=accuracy, max_isa=isa):
            how = {"accuracy": accuracy, "algorithm": name, "max_isa": isa}
            if name == "pointwise" and conv.kh * conv.kw > 1 and wider(conv, options):
                with pytest.raises(ValueError, match="some channels of wider pixels"):
                    strided(conv, arrays, **how, **options)
                continue
            want = strided(conv, arrays, **how)
            if residual is not None:
                want = want + residual
            want = ACTIVATIONS[activation](want)
            if activation:
                how["activation"] = activation
            got = strided(conv, arrays, residual, where, **how, **options)
            # Fast mode promises nothing of the sign of zero.
            zero = np.float32(0 if accuracy == "fast" else -0.0)
            what = f"{name} {isa} {accuracy} {activation} {options} on {run.problem(conv)}"
            assert_same_bits(got + zero, want + zero, what)


@st.composite
def placements(draw):
    """Layouts, and how many floats lie between NHWC pixels (None: the stride is not given)."""
    layouts = {k: draw(st.sampled_from(LAYOUTS)) for k in ("src_layout", "dst_layout")}
    gaps = [draw(st.sampled_from([None, 0, 1, 3, 16, 17])) for _ in range(3)]
    return layouts, gaps


def options_of(conv, placement):
    layouts, gaps = placement
    options = dict(layouts)
    channels = (("src", conv.ic), ("dst", conv.oc), ("residual", conv.oc))
    for (name, count), gap in zip(channels, gaps):
        layout = layouts.get("src_layout" if name == "src" else "dst_layout", "nhwc")
        if layout == "nhwc" and gap is not None:
            options[f"{name}_pixel"] = count + gap
    return options


@given(convs(max_macs=30_000), placements(), st.sampled_from(list(ACTIVATIONS)), st.booleans(),
       st.sampled_from(["end", "begin"]))  # fmt: skip
def test_any_placement_gives_the_bits_of_the_dense_run(conv, placement, activation, residual, where):
    note(str(run.problem(conv)))
    check(conv, options_of(conv, placement), activation, residual, where)


CONVS = [
    Conv(ic=3, oc=24, ih=19, iw=18, kh=3, kw=3, stride=(2, 2), padding=(1, 1, 1, 1)),
    Conv(mb=2, ic=17, oc=33, ih=9, iw=11, kh=3, kw=3, padding=(1, 1, 1, 1)),
    Conv(mb=2, ic=17, oc=35, ih=11, iw=16, kh=3, kw=3, stride=(2, 2), padding=(0, 1, 0, 1)),
    Conv(ic=40, oc=70, ih=7, iw=7),
    Conv(mb=2, ic=40, oc=6, ih=1, iw=1),
    Conv(mb=2, ic=1, oc=1, ih=8, iw=9, kh=3, kw=3, padding=(1, 1, 1, 1)),
    Conv(mb=3, ic=17, oc=33, ih=3, iw=4, kh=3, kw=4),
    Conv(mb=6, ic=5, oc=70, ih=2, iw=3, kh=2, kw=3, stride=(2, 1)),
    Conv(ic=24, oc=100, ih=2, iw=2),
    Conv(g=40, ic=40, oc=40, ih=21, iw=20, kh=3, kw=3, padding=(1, 1, 1, 1)),
    Conv(g=32, ic=32, oc=32, ih=15, iw=16, kh=5, kw=5, stride=(2, 2), padding=(2, 2, 2, 2)),
    Conv(g=16, ic=16, oc=16, ih=15, iw=16, kh=3, kw=3, dilation=(2, 2), padding=(2, 2, 2, 2)),
    Conv(g=12, ic=48, oc=48, ih=12, iw=13, kh=3, kw=3, padding=(1, 1, 1, 1)),
    Conv(g=9, ic=9, oc=18, ih=12, iw=13, kh=3, kw=3, padding=(1, 1, 1, 1)),
]


@pytest.mark.parametrize("conv", CONVS, ids=lambda conv: str(run.problem(conv)))
def test_placements_of_common_convolutions(conv):
    for activation, residual in itertools.product((None, "relu6", "silu"), (False, True)):
        check(conv, {}, activation, residual)
        check(conv, options_of(conv, ({}, (24, 40, 8))), activation, residual)
    for pair in itertools.product(LAYOUTS, LAYOUTS):
        layouts = dict(zip(("src_layout", "dst_layout"), pair))
        check(conv, options_of(conv, (layouts, (5, 7, None))), "silu", True)


@pytest.mark.parametrize("groups", [1, 12])
def test_separable(groups):
    conv = Conv(g=groups, ic=12, oc=12, ih=20, iw=21, kh=5, kw=5, padding=(2, 2, 2, 2))
    rng = seeded(conv)
    x, weight, bias = conv.arrays(rng, reals)
    weight[...] = reals(rng, (12 if groups > 1 else 1, 1, 5, 1)) * reals(rng, (1, 5))
    residual = reals(rng, conv.dst_shape)
    how = {"algorithm": "separable", "tolerance": 1e-5}
    dense = strided(conv, (x, weight, bias), **how)
    want = pyconv.silu(dense + residual)
    for pair, gaps in itertools.product(itertools.product(LAYOUTS, LAYOUTS), ((None,) * 3, (3, 4, 5))):
        options = options_of(conv, (dict(zip(("src_layout", "dst_layout"), pair)), gaps))
        got = strided(conv, (x, weight, bias), residual, activation="silu", **how, **options)
        assert_same_bits(got + np.float32(0), want + np.float32(0), str(options))


def test_a_first_convolution_reads_planes_without_a_copy():
    """NCHW in, NHWC out: no staged copy of src is part of the workspace."""
    p = pyconv.Conv2dProblem("ic3oc16_ih64kh3sh2")
    assert pyconv.algorithms((1, 3, 64, 64), (16, 3, 3, 3), stride=2, layout="nchw")
    src, dst = (np.zeros(n, np.float32) for n in (p.src_size, p.dst_size))
    options = {"src_layout": "nchw", "dst_layout": "nhwc"}
    weight = np.zeros(p.weight_size, np.float32)
    assert _core._run_conv2d(p, weight, None, src, dst, None, options) == "direct"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"src_pixel": 3}, "src_pixel: expected a size of 4 or more, got 3"),
        ({"dst_pixel": -1}, "dst_pixel: expected a size of 5 or more, got -1"),
        ({"residual_pixel": 4}, "residual_pixel: expected a size of 5 or more, got 4"),
        ({"src_pixel": 9, "src_layout": "nchw"}, "src_pixel: pixel strides are for layout 'nhwc'"),
        ({"dst_pixel": 9, "dst_layout": "nchw"}, "dst_pixel: pixel strides are for layout 'nhwc'"),
        ({"src_pixel": 2**40}, "src_pixel: more than 2\\^58 elements"),
    ],
)
def test_bad_strides_are_refused(options, words):
    height = 2**19 if options.get("src_pixel") == 2**40 else 3
    p = pyconv.Conv2dProblem(f"ic4oc5_ih{height}iw3kh1")
    nothing = np.zeros(0, np.float32)
    with pytest.raises(ValueError, match=words):
        _core._run_conv2d(p, np.zeros(20, np.float32), None, nothing, nothing, None, options)


POOLS = [("max", 3, 2, 1), ("max", 3, 1, 1), ("max", 2, 2, 0), ("max", 5, 1, 2),
         ("avg", 3, 2, 1), ("avg", 2, 2, 0), ("avg", 3, 1, 1), ("max", 0, 1, 0), ("avg", 0, 1, 0)]  # fmt: skip


@pytest.mark.parametrize(("kind", "kernel", "stride", "padding"), POOLS)
def test_pools(kind, kernel, stride, padding):
    for i, (channels, isa) in enumerate(itertools.product((1, 7, 16, 24, 70), run.ISAS)):
        shape = (2, channels, 10 + i % 3, 9 + i % 5)
        x = reals(np.random.default_rng(i), shape)
        if kernel:
            function = pyconv.max_pool2d if kind == "max" else pyconv.avg_pool2d
            want = function(x, kernel, stride=stride, padding=padding)
        else:
            want = (pyconv.global_max_pool2d if kind == "max" else pyconv.global_avg_pool2d)(x)
        for pair, gaps in itertools.product(
            itertools.product(LAYOUTS, LAYOUTS), ((None, None), (0, 0), (3, 21), (16, 1))
        ):
            if kernel == 0 and pair[1] == "nchw":
                continue
            options = {"src_layout": pair[0], "dst_layout": pair[1], "max_isa": isa}
            for name, layout, gap in zip(("src_pixel", "dst_pixel"), pair, gaps):
                if layout == "nhwc" and gap is not None:
                    options[name] = channels + gap
            strides = (options.get("src_pixel", 0), options.get("dst_pixel", 0))
            src = guarded(lay_out(x, pair[0], strides[0], np.nan), "end")
            blank = np.full(want.shape, np.nan, np.float32)
            dst = guarded(lay_out(blank, pair[1], strides[1], UNTOUCHED), "end")
            _core._run_pool2d(kind, shape, kernel, stride, padding, src, dst, options)
            got, between = take_back(dst, want.shape, pair[1], strides[1])
            assert (between == UNTOUCHED).all(), options
            assert_same_bits(np.ascontiguousarray(got), want, f"{kind} {shape} {options}")


def test_a_plan_does_not_inherit_the_choice_of_a_one_shot_call():
    """One-shot calls count what packing costs; a plan of the same sizes does not."""
    x, weight = np.zeros((1, 128, 14, 14), np.float32), np.zeros((128, 128, 3, 3), np.float32)
    with ThreadPoolExecutor(1) as fresh:  # choices are remembered per thread
        pyconv.conv2d(x, weight, padding=1, threads=1)
        p = pyconv.problem_from_shapes(x.shape, weight.shape, padding=1)
        here = pyconv.Conv2dPlan(p, weight, threads=1, layout="nchw").algorithm
        assert here == fresh.submit(pyconv.Conv2dPlan, p, weight, threads=1, layout="nchw").result().algorithm
