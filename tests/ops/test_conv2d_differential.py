"""Random problems: all algorithms, instruction sets, layouts and thread counts against each other
and against the reference."""

from __future__ import annotations

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402
from hypothesis import given, note  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from support import conv as run  # noqa: E402
from support.arrays import assert_same_bits, integers, reals  # noqa: E402
from support.fma32 import conv2d_exact  # noqa: E402
from support.problems import convs, seeded  # noqa: E402


@given(convs(), st.sampled_from(["end", "begin"]), st.booleans())
def test_small_integers_are_exact(conv, where, biased):
    note(str(run.problem(conv)))
    x, weight, bias = conv.arrays(seeded(conv), integers)
    arrays = (x, weight, bias if biased else None)
    want = run.reference.conv2d(*arrays, **conv.options)
    for layout in ("nchw", "nhwc"):
        for name in run.accepting(conv, layout=layout, accuracy="exact"):
            got = run.run_plan(conv, *arrays, where=where, layout=layout, algorithm=name,
                               accuracy="exact")  # fmt: skip
            run.check_exact(conv, arrays, got, f"{name} {layout}", want)


@given(convs(), st.sampled_from(["end", "begin"]), st.sampled_from(["nchw", "nhwc"]))
def test_random_reals_are_bounded(conv, where, layout):
    note(str(run.problem(conv)))
    arrays = conv.arrays(seeded(conv), reals)
    for isa in run.ISAS:
        options = {"layout": layout, "max_isa": isa}
        for name in run.accepting(conv, **options):
            got = run.run_plan(conv, *arrays, where=where, algorithm=name, **options)
            run.check_bounded(conv, arrays, got, f"{name} {isa}", algorithm=name)


@given(convs(), st.integers(1, 5))
def test_exact_mode_gives_one_result(conv, threads):
    """Bit for bit, with values whose every rounding shows."""
    note(str(run.problem(conv)))
    arrays = conv.arrays(seeded(conv), reals)
    want = run.run_plan(conv, *arrays, algorithm="reference", max_isa="scalar", accuracy="exact")
    for isa in run.ISAS:
        for layout in ("nchw", "nhwc"):
            for name in run.accepting(conv, max_isa=isa, layout=layout, accuracy="exact"):
                got = run.run_plan(conv, *arrays, layout=layout, algorithm=name, max_isa=isa,
                                   threads=threads, accuracy="exact")  # fmt: skip
                assert_same_bits(got, want, f"{name} {isa} {layout} on {run.problem(conv)}")


@given(convs(max_macs=20_000, max_channels=17))
def test_exact_mode_is_the_chain_of_the_contract(conv):
    note(str(run.problem(conv)))
    rng = seeded(conv)
    arrays = conv.arrays(rng, reals)
    special = np.float32([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-45, 3e38])
    for array in arrays[: 2 if conv.terms > 4 else 1]:
        if array.size:
            array.ravel()[rng.integers(array.size)] = special[rng.integers(len(special))]
    want = conv2d_exact(*arrays, **conv.options)
    for isa in run.ISAS:
        for name in run.accepting(conv, max_isa=isa, accuracy="exact"):
            got = run.run_plan(conv, *arrays, algorithm=name, max_isa=isa, accuracy="exact")
            assert_same_bits(got, want, f"{name} {isa} on {run.problem(conv)}")


@given(convs(max_macs=50_000))
def test_refusals_are_sentences_and_forcing_repeats_them(conv):
    x, weight, bias = conv.arrays(seeded(conv), integers)
    seen = run.entries(conv)
    assert any(entry.accepted for entry in seen)
    for entry in seen:
        if entry.accepted:
            assert entry.reason == "" and (entry.cost > 0 or conv.macs == 0)
            continue
        assert len(entry.reason.split()) >= 3
        if entry.name == "separable":  # with the weights at hand it may accept
            continue
        with pytest.raises(ValueError) as caught:
            pyconv.conv2d(x, weight, bias, **conv.options, algorithm=entry.name)
        assert entry.reason in str(caught.value) and entry.name in str(caught.value)
