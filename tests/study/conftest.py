"""A roofline and a study with invented figures, so that what is derived from them is known."""

from types import SimpleNamespace

import pytest

pytest.importorskip("rich", reason="the study extra is missing")

from pyconv.study import report  # noqa: E402
from pyconv.study.cost import convolution_cost  # noqa: E402
from pyconv.study.machine import Roofline  # noqa: E402
from pyconv.study.result import Row, Step, Study  # noqa: E402
from pyconv.study.timing import Conditions, Timing  # noqa: E402


@pytest.fixture
def roofline():
    rates = {"L1": 500.0, "L2": 250.0, "L3": 100.0, "DRAM": 40.0}
    return Roofline(
        cpu="Vendor 1.2.3 Chip",
        isa="avx2",
        threads=1,
        peak_gflops=200.0,
        capacity={"L1": 32 << 10, "L2": 1 << 20, "L3": 32 << 20},
        bandwidths={"read": rates, "copy": rates, "scale": rates},
    )


@pytest.fixture
def make_study(roofline):
    """make_study(normal=, plain=, pointwise=, ...): the study in which those take so many ms."""

    def step(ic, oc, kh, kw, g, algorithm):
        dims = SimpleNamespace(mb=1, g=g, ic=ic, oc=oc, ih=56, iw=56, oh=56, ow=56, kh=kh, kw=kw)
        return Step(f"g{g}ic{ic}oc{oc}_ih56kh{kh}kw{kw}", algorithm, ["a kernel"], convolution_cost(dims))

    def make(*, normal, plain=None, pointwise=0.4, depthwise=0.05, spatial=0.1, separable=0.5):
        c = 128
        dense = step(c, c, 3, 3, 1, "winograd_f4" if plain else "direct")
        deep, wide = step(c, c, 3, 3, c, "depthwise"), step(c, c, 1, 1, 1, "pointwise")
        rows = [("normal", [dense], normal)]
        if plain:
            rows += [(report.PLAIN, [step(c, c, 3, 3, 1, "implicit_gemm")], plain)]
        rows += [
            (report.POINTWISE, [wide], pointwise),
            (report.DEPTHWISE, [deep], depthwise),
            (report.SPATIAL, [step(c, c, 3, 1, c, "separable")] * 2, spatial),
            (report.SEPARABLE, [deep, wide], separable),
        ]
        made = [
            Row(name, steps, Timing(name, (ms * 1e-3, ms * 1.02e-3, ms * 1.04e-3)), 1e-6)
            for name, steps, ms in rows
        ]
        settings = {"channels": c, "height": 56, "width": 56, "filters": c, "kernel": 3, "accuracy": "fast"}
        return Study(made, roofline, Conditions(1.0, 0.01, 0.5, 0.7, 2), settings)

    return make
