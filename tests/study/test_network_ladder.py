"""The climb with one layer: every rung right, the right layer chosen."""

import numpy as np
import pytest

import pyconv
from pyconv.study import network_ladder as ladder


def step(problem):
    return {"name": problem, "problem": problem, "macs": pyconv.Conv2dProblem(problem).macs if problem else 0}


def test_the_dearest_dense_layer_is_chosen():
    lines = ["ic16oc16_ih8kh3ph1", "ic16oc16_ih9kh3ph1", "ic64oc64_ih9kh1", "g16ic16oc16_ih99kh3ph1",
             "ic64oc64_ih56kh3sh2ph1", "ic512oc512_ih512kh3ph1", "ic16oc16_ih16kh3kw1", ""]  # fmt: skip
    assert ladder.layer_of([step(problem) for problem in lines])["name"] == "ic16oc16_ih9kh3ph1"
    strided = [step(lines[4]), step(lines[2])]
    assert ladder.layer_of(strided)["name"] == lines[4]
    assert ladder.layer_of([step(lines[2]), step("")]) is None


@pytest.mark.parametrize(
    "problem",
    ["ic4oc4_ih6kh3ph1", "ic32oc32_ih20kh3ph1", "ic16oc16_ih15kh3sh2ph1", "ic16oc32_ih21kh5sh2ph2"],
)
def test_every_rung(problem):
    found = ladder.climb(problem, seconds=0.05)
    names = [rung.name for rung in found]
    assert names[:2] == ["python loops", "cython, untyped"] and "pyconv implicit_gemm" in names
    assert len(set(names)) == len(names)
    p = pyconv.Conv2dProblem(problem)
    for rung in found:
        assert rung.seconds > 0 and rung.why and 0 < rung.share <= 1
        whole = rung.name not in ladder._SLOW or p.macs <= ladder._PIECE_MACS
        assert (rung.share == 1.0) == whole
    assert any("winograd" in name for name in names) == (p.sh == 1 or p.kh == 3)
    why = {rung.name: rung.why for rung in found}
    if p.kh == 3:
        assert f"{36 if p.sh == 1 else 81} multiplications for 4 x 4 outputs" in why["pyconv winograd_f4"]


def test_a_wrong_rung_is_told():
    x, weight = np.ones((1, 4, 4, 1), np.float32), np.ones((1, 1, 3, 3), np.float32)
    ladder._check("right", np.full((1, 2, 2, 1), 9.0), x, weight, 1, 0)
    with pytest.raises(
        ladder.WrongResult, match="wrong: expected float64's result within 1e-04, got 1.1e-01"
    ):
        ladder._check("wrong", np.full((1, 2, 2, 1), 10.0), x, weight, 1, 0)
