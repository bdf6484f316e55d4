"""accuracy="exact": the same bits whatever computes them, and under any floating-point state."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import sys

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402

from support import conv as run  # noqa: E402
from support.arrays import assert_same_bits, bits, reals  # noqa: E402
from support.fma32 import conv2d_exact  # noqa: E402
from support.problems import Conv, seeded  # noqa: E402

CONVS = [
    Conv(3, 1, 20, 33, 9, 8, 3, 3, (1, 1), (1, 1, 1, 1)),
    Conv(2, 1, 70, 67, 5, 6),
    Conv(2, 1, 3, 18, 17, 16, 5, 3, (2, 2), (2, 1, 0, 1)),
    Conv(2, 4, 12, 20, 8, 8, 3, 3, (1, 1), (1, 1, 1, 1), (2, 1)),
    Conv(2, 17, 17, 34, 7, 9, 3, 3, (1, 1), (1, 1, 1, 1)),
    Conv(1, 1, 1200, 20, 2, 3),
]
IDS = [str(run.problem(conv)) for conv in CONVS]


def exact(conv, arrays, **options):
    return pyconv.conv2d(*arrays, **conv.options, accuracy="exact", **options)


@pytest.mark.parametrize("conv", CONVS, ids=IDS)
def test_every_way_gives_the_bits_of_the_chain(conv):
    arrays = conv.arrays(seeded(conv), reals)
    want = conv2d_exact(*arrays, **conv.options)
    rows = {None} | {k.name for k in pyconv.kernels() if k.available}
    ways = 0
    for row in sorted(rows, key=str):
        for name in run.accepting(conv, accuracy="exact", kernel=row):
            for layout in ("nchw", "nhwc"):
                ways += 1
                got = run.run_plan(conv, *arrays, layout=layout, algorithm=name, kernel=row,
                                   accuracy="exact", threads=ways % 4 + 1)  # fmt: skip
                assert_same_bits(got, want, f"{name} {row} {layout}")
    assert ways >= 8


@pytest.mark.parametrize("conv", CONVS, ids=IDS)
def test_batch_split_and_crop_keep_the_bits(conv):
    arrays = conv.arrays(seeded(conv), reals)
    whole = exact(conv, arrays)
    for i in range(conv.mb):
        assert_same_bits(exact(conv, (arrays[0][i : i + 1], *arrays[1:])), whole[i : i + 1])
    half = conv.oc // 2
    if conv.g == 1:
        part = exact(conv, (arrays[0], arrays[1][:half], arrays[2][:half]))
        assert_same_bits(part, whole[:, :half])


# Work for several threads, cut by images, rows, groups or channels.
LARGE = [
    Conv(1, 1, 64, 96, 30, 31, 3, 3, (1, 1), (1, 1, 1, 1)),
    Conv(1, 1, 512, 300, 7, 7),
    Conv(5, 1, 90, 110, 20, 9),
    Conv(2, 4, 64, 64, 21, 20, 3, 3, (1, 1), (1, 1, 1, 1)),
    Conv(1, 96, 96, 96, 56, 57, 5, 5, (1, 1), (2, 2, 2, 2)),
    Conv(1, 1, 16, 3, 100, 120, 3, 3, (1, 1), (1, 1, 1, 1)),
]


@pytest.mark.parametrize("conv", LARGE, ids=lambda c: str(run.problem(c)))
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_thread_count_keeps_the_bits(conv, layout):
    """In exact mode all agree; in fast mode each algorithm agrees with itself, call after call."""
    _, weight, bias = conv.arrays(seeded(conv), reals)
    x = run.to_layout(conv.arrays(seeded(conv), reals)[0], layout)
    common, seen = None, 0
    for accuracy in ("exact", "fast"):
        for name in run.accepting(conv, layout=layout, accuracy=accuracy):
            if name == "reference":
                continue
            first = None
            for threads in (1, 2, 3, 4, 8):
                plan = pyconv.Conv2dPlan(run.problem(conv), weight, bias, layout=layout,
                                         algorithm=name, accuracy=accuracy, threads=threads)  # fmt: skip
                seen = max(seen, plan.threads)
                got = plan(x)
                first = got if first is None else first
                assert_same_bits(got, first, f"{name}, {threads} threads")
                assert_same_bits(plan(x), first, f"{name}, {threads} threads, again")
            if accuracy == "exact":
                common = first if common is None else common
                assert_same_bits(first, common, name)
    assert seen > 1, "too little work for a second thread"


def test_no_negative_zero_and_bias_starts_the_chain():
    conv = Conv(1, 1, 1, 20, 2, 3)
    x, weight = np.zeros(conv.x_shape, np.float32), np.ones(conv.weight_shape, np.float32)
    for bias in (None, np.full(20, -0.0, np.float32)):
        for source in (x, -x):
            for name in run.accepting(conv, accuracy="exact"):
                got = exact(conv, (source, weight, bias), algorithm=name)
                assert_same_bits(got, np.zeros(conv.dst_shape, np.float32), name)
    # 1 + 2^-24 + 2^-24: from the bias each addition rounds to 1, from zero the small ones add up.
    tiny = np.full((1, 2, 2, 2), 2.0**-24, np.float32)
    one = exact(Conv(1, 1, 2, 1, 2, 2), (tiny, np.ones((1, 2, 1, 1), np.float32), np.float32([1.0])))
    assert_same_bits(one, np.ones_like(one))


def test_fused_multiply_add_not_multiply_then_add():
    a = np.float32(1 + 2.0**-12)
    x, weight = np.full((1, 1, 1, 40), a, np.float32), np.full((1, 1, 1, 1), a, np.float32)
    bias = np.float32([-(1 + 2.0**-11)])
    conv = Conv(1, 1, 1, 1, 1, 40)
    for isa in run.ISAS:
        for name in run.accepting(conv, accuracy="exact", max_isa=isa):
            got = exact(conv, (x, weight, bias), algorithm=name, max_isa=isa)
            assert_same_bits(got, np.full(got.shape, 2.0**-24, np.float32), f"{name} {isa}")


def test_subnormals_are_kept():
    conv = Conv(1, 1, 2, 17, 3, 5)
    x = np.full(conv.x_shape, 2.0**-75, np.float32)
    weight = np.full(conv.weight_shape, 2.0**-72, np.float32)
    for isa in run.ISAS:
        for name in run.accepting(conv, max_isa=isa):
            got = run.run_plan(conv, x, weight, None, algorithm=name, max_isa=isa)
            assert_same_bits(got, np.full(got.shape, 2.0**-146, np.float32), f"{name} {isa}")


ROUNDINGS = {"downward": 0x400, "upward": 0x800, "toward zero": 0xC00}  # x86, as in <fenv.h>


@pytest.mark.parametrize("direction", ROUNDINGS)
def test_rounding_mode_of_the_caller_does_not_matter(direction):
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("sets the rounding mode through Linux' libm on x86-64")
    libm = ctypes.CDLL("libm.so.6")
    for conv in CONVS:
        arrays = conv.arrays(seeded(conv), reals)
        for threads in (1, 2):
            want = exact(conv, arrays, threads=threads)
            before = libm.fegetround()
            libm.fesetround(ROUNDINGS[direction])
            try:
                got = exact(conv, arrays, threads=threads)
                after = libm.fegetround()
            finally:
                libm.fesetround(before)
            assert after == ROUNDINGS[direction], "the caller's rounding mode was not restored"
            assert_same_bits(got, want, str(run.problem(conv)))


def test_flush_to_zero_set_by_torch_does_not_matter():
    torch = pytest.importorskip("torch")
    conv = Conv(1, 1, 2, 17, 3, 5)
    x = np.full(conv.x_shape, 1e-41, np.float32)
    weight = np.full(conv.weight_shape, 0.5, np.float32)
    want = exact(conv, (x, weight))
    assert want.any()
    if not torch.set_flush_denormal(True):
        pytest.skip("this CPU has no flush-to-zero")
    try:
        got = exact(conv, (x, weight))
        assert not torch.tensor([1e-41]).mul(0.5).any(), "the caller's mode was not restored"
    finally:
        torch.set_flush_denormal(False)
    assert_same_bits(got, want)


def digest():
    """One hash over all CONVS, by whatever the process may use."""
    state = hashlib.sha256()
    for conv in CONVS:
        state.update(bits(exact(conv, conv.arrays(seeded(conv), reals))).tobytes())
    return state.hexdigest()


@pytest.mark.parametrize("isa", ["scalar", "avx2", "avx512", "neon"])
def test_capped_processes_agree(isa):
    if isa not in run.ISAS:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {isa}")
    here = os.path.dirname(__file__)
    code = (
        f"import sys; sys.path[:0] = [{here!r}]; import pyconv, test_exact_bits as t;"
        f"assert {{k.isa for k in pyconv.kernels() if k.available}} <= {{'scalar', 'avx2', {isa!r}}};"
        f"assert {isa!r} != 'scalar' or {{k.isa for k in pyconv.kernels() if k.available}} == {{'scalar'}};"
        "print(t.digest())"
    )
    environment = dict(os.environ, PYCONV_MAX_ISA=isa)
    command = [sys.executable, "-c", code]  # which looks in its folder first: not the source root
    out = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
    assert out.stdout.strip() == digest(), out.stderr
