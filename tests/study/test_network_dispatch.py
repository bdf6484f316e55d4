"""How bench_dispatch judges, on figures that are known."""

import pytest

bench = pytest.importorskip("benchmarks.bench_dispatch", reason="benchmarks/ is not part of this tree")


def layer(where, *ways, problem="p"):
    return bench.Dispatched(where, problem, tuple(bench.Way(*way) for way in ways))


def test_behind_the_fastest():
    one = layer("a", ("direct", 1.0, 2.0), ("planar", 2.0, 1.6), ("im2col", 3.0, 4.0))
    assert one.fastest.algorithm == "planar" and one.behind == 1.25
    first = layer("a", ("direct", 1.0, 2.0), ("planar", 2.0, 2.5))
    assert first.behind == 1.0


def test_the_better_look_counts():
    bad, good = layer("a", ("direct", 1.0, 2.0), ("planar", 1.0, 1.0)), layer("a", ("direct", 1.0, 1.0))
    other = layer("b", ("direct", 1.0, 2.0), ("planar", 1.0, 1.0))
    assert bench.confirmed([bad, other], [good]) == [good, other]


def test_a_problem_counts_once():
    layers = [layer(str(i), ("direct", 1.0, 1.0 + 0.1 * i), ("planar", 1.0, 1.0)) for i in range(3)]
    assert bench.once(layers) == [layers[1]]
    assert len(bench.once([*layers, layer("x", ("direct", 1.0, 1.0), problem="q")])) == 2


def test_summary():
    found = bench.summary([
        layer("a", ("direct", 1.0, 1.0), ("planar", 2.0, 2.0), ("im2col", 3.0, 3.0)),
        layer("b", ("direct", 4.0, 5.0), ("planar", 5.0, 4.0), ("im2col", 6.0, 6.0)),
    ])  # fmt: skip
    assert found["layers"] == 2 and found["within"] == 0.5
    assert found["lost"] == pytest.approx(1 / 6)
    assert found["rank"] == pytest.approx(1 - 6 * 2 / (6 * 35), abs=1e-5)
    assert found["rank within"] == pytest.approx((1 + 0.5) / 2)
