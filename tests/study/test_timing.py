"""pyconv.study.timing: interleaving, statistics, conditions. No assertion on real durations."""

import gc
from collections import Counter

import pytest

from pyconv.study import timing


def test_every_case_is_sampled_once_a_round_in_rotating_order():
    order = []
    result = timing.measure(
        {name: lambda: None for name in "abc"},
        rounds=4,
        sample_seconds=1e-6,
        on_sample=order.append,
    )
    assert "".join(order) == "abc" + "bca" + "cab" + "abc"
    assert [len(result[name].samples) for name in result] == [4, 4, 4]


def test_statistics():
    t = timing.Timing("x", (4.0, 1.0, 2.0, 3.0, 5.0))
    assert (t.median, t.minimum, t.iqr) == (3.0, 1.0, 2.0)
    assert t.spread == pytest.approx(2 / 3)
    assert t.as_dict()["rounds"] == 5


def test_ratio_is_taken_round_by_round():
    slow = timing.Timing("slow", (2.0, 20.0, 6.0))
    fast = timing.Timing("fast", (1.0, 10.0, 1.0))
    m = timing.Measurement({"slow": slow, "fast": fast})
    assert m.ratio("slow", "fast") == 2.0
    assert m.ratio_quartiles("slow", "fast") == (2.0, 4.0)


def test_calls_per_sample_follows_the_clock(monkeypatch):
    clock = {"now": 0.0}

    def case():
        clock["now"] += 1e-3

    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock["now"])
    assert timing.calls_per_sample(case, 0.02) == 20
    assert timing.calls_per_sample(case, 1e-6) == 1


def test_the_budget_ends_the_rounds_but_leaves_three(monkeypatch):
    clock = {"now": 0.0}

    def case():
        clock["now"] += 1.0

    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock["now"])
    result = timing.measure({"a": case}, rounds=100, sample_seconds=1.0, budget_seconds=0.5)
    assert len(result["a"].samples) == 3


def test_the_collector_rests_and_comes_back():
    seen = Counter()
    timing.measure({"a": lambda: seen.update([gc.isenabled()])}, rounds=2, sample_seconds=1e-6)
    assert set(seen) == {False}
    assert gc.isenabled()


def test_conditions_are_recorded():
    conditions = timing.measure({"a": lambda: None}, rounds=1, sample_seconds=1e-6).conditions
    assert conditions.seconds > 0
    assert conditions.steal_share is None or 0 <= conditions.steal_share <= 1
    assert set(conditions.as_dict()) >= {"seconds", "steal_share", "load_before", "preemptions"}


@pytest.mark.parametrize("arguments", [{"cases": {}}, {"cases": {"a": int}, "rounds": 0}])
def test_refusals(arguments):
    with pytest.raises(ValueError, match="expected at least"):
        timing.measure(**arguments)


def test_settling_calls_each_case_once_before_every_sample():
    def calls(**options):
        counted = []
        timing.measure({"a": lambda: counted.append(1)}, rounds=7, sample_seconds=0.0, **options)
        return len(counted)

    assert calls(settle=True) == calls() + 7
