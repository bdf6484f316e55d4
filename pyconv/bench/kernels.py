"""Every row of `pyconv.kernels()`: one micro-kernel, forced by name, on work that suits its tile."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

import pyconv
from pyconv.study.cost import convolution_cost

from . import ours
from .peers import Runner, check
from .problems import Array, Problem, aligned, operands
from .result import OURS
from .suite import Job, LeftOut, fitting


def families() -> list[str]:
    return sorted({kernel.family for kernel in pyconv.kernels()})


def jobs(wanted: Sequence[str] = ()) -> list[Job]:
    """The rows of these families, or of all, that this process may use and a public function drives."""
    chosen = fitting(families(), wanted, "families")
    return [_job(kernel) for kernel in available() if kernel.family in chosen]


def _job(kernel: pyconv.Kernel) -> Job:
    def prepare() -> tuple[int, dict[str, Runner]]:
        prepared = compute_runner(kernel)
        if prepared is not None:
            return convolution_cost(prepared[0]).macs, {OURS: prepared[1]}
        driven = memory_runner(kernel)
        if driven is None:
            raise LeftOut("no public function drives it alone")
        return 0, {OURS: driven}

    return Job(kernel.name, prepare, kernel.isa)


def _columns(tile: int, about: int) -> int:
    """A multiple of the tile's columns near `about`."""
    return max(1, round(about / max(1, tile))) * max(1, tile)


def convolutions(kernel: pyconv.Kernel) -> tuple[str, list[str]]:
    """The algorithm that drives a row, and problems to try in turn until the row accepts one.

    The image sides make the pixels a multiple of no tile's rows alone: remainders are part of the work.
    """
    columns = kernel.tile[1]
    depthwise = "g256ic256oc256_ih28"
    known = {
        "gemm": ("pointwise", [f"ic512oc{_columns(columns, 192)}_ih14kh1"]),
        "direct": ("direct", [f"ic64oc{_columns(columns, 64)}_ih28kh3ph1"]),
        "planar": ("planar", [f"ic32oc{columns}_ih56kh3ph1"]),
        "reference": ("reference", ["ic16oc16_ih14kh3ph1"]),
        "winograd": (
            f"winograd_f{kernel.tile[0]}",
            [
                "ic64oc64_ih28kh5ph2" if "5x5" in kernel.name else "ic128oc128_ih28kh3ph1",
                "ic128oc128_ih56kh3sh2ph1",
            ],
        ),
        "depthwise": (
            "depthwise",
            [f"{depthwise}{window}" for window in ("kh3ph1", "kh3sh2ph1", "kh5ph2", "kh5sh2ph2", "kh7ph3")],
        ),
    }
    return known.get(kernel.family, ("auto", []))


def compute_runner(kernel: pyconv.Kernel) -> tuple[Problem, Runner] | None:
    """The row on its convolution, run once and checked; None where it drives none."""
    algorithm, texts = convolutions(kernel)
    for text in texts:
        p = Problem(text)
        given = operands(p)
        try:
            found = ours.plan_runner(p, given, algorithm=algorithm, kernel=kernel.name)
        except ValueError:
            continue
        found.run()
        ours.check_points(p, given, found.result())
        return p, found
    return None


def _random(*shape: int) -> Array:
    array = aligned(shape)
    array[...] = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return array


def memory_call(kernel: pyconv.Kernel) -> tuple[partial[Array], tuple[Array, ...]] | None:
    """A public function that runs the row, and its inputs; None where there is none."""
    name = kernel.name.partition("_f32")[0]
    layout = "nhwc" if "_nhwc_" in kernel.name else "nchw"
    image = _random(1, 56, 56, 64) if layout == "nhwc" else _random(1, 64, 56, 56)
    if kernel.family == "pool":
        function = pyconv.max_pool2d if name == "maxpool" else pyconv.avg_pool2d
        return partial(function, kernel_size=2, layout=layout, kernel=kernel.name), (image,)
    if kernel.family == "global_pool":
        whole = pyconv.global_max_pool2d if name == "globalmax" else pyconv.global_avg_pool2d
        return partial(whole, layout=layout, kernel=kernel.name), (image,)
    if kernel.family == "transpose":
        return partial(pyconv.nchw_to_nhwc, kernel=kernel.name), (_random(1, 64, 56, 28),)
    if kernel.family == "eltwise":
        return _eltwise_call(name, kernel.isa)
    return None


def _eltwise_call(name: str, isa: str) -> tuple[partial[Array], tuple[Array, ...]] | None:
    flat = _random(1 << 16)
    if name == "gelu_tanh":
        return partial(pyconv.gelu, approximate="tanh", max_isa=isa), (flat,)
    function = getattr(pyconv, name, None)
    if function is None:
        return None
    inputs = (flat, flat.copy()) if name in ("add", "mul") else (flat,)
    return partial(function, max_isa=isa), inputs


def available(family: str = "") -> list[pyconv.Kernel]:
    return [k for k in pyconv.kernels() if k.available and family in ("", k.family)]


def memory_runner(kernel: pyconv.Kernel) -> Runner | None:
    """The row in the function that it serves, checked against the row that would be taken."""
    prepared = memory_call(kernel)
    if prepared is None:
        return None
    call, inputs = prepared
    usual = {k: v for k, v in call.keywords.items() if k not in ("kernel", "max_isa")}
    expected = call.func(*inputs, **usual)
    out = aligned(expected.shape)
    case = partial(call, *inputs, out=out, threads=1)
    case()
    check(out, expected, kernel.name, tolerance=1e-6)
    return Runner(call.func.__name__, case, lambda: out)
