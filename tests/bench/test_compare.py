"""What `pyconv bench compare` calls a difference, on results whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("rich", reason="the study extra is missing")

from click.testing import CliRunner  # noqa: E402

from pyconv.bench import compare as comparing  # noqa: E402
from pyconv.bench.commands import bench  # noqa: E402
from pyconv.bench.compare import FASTER, SAME, SLOWER, UNKNOWN  # noqa: E402
from pyconv.bench.result import Case, Result, load  # noqa: E402

ENVIRONMENT = {"cpu": "C", "isa": "avx2", "threads": 1, "cpus": 2, "compiler": "g 12", "python": "3.11.1",
               "commit": "abc", "peak_gflops": 100.0,
               "clock_ghz": {"low": 3.0, "median": 3.0, "high": 3.0}}  # fmt: skip


def case(seed, *, scale=1.0, passes=3, rounds=12, drift=0.0, name="a", engine="pyconv", peak=100.0):
    """Rounds with the tail of a shared machine; each pass `drift` slower than the one before."""
    rng = np.random.default_rng(seed)
    samples = [
        tuple((scale * (1 + drift * i) * (1e-3 + 2e-5 * rng.exponential(size=rounds))).tolist())
        for i in range(passes)
    ]
    return Case(name, engine, "how", tuple(samples), (peak,) * passes, macs=10)


def result(*cases, **environment):
    return Result("layers", {**ENVIRONMENT, **environment}, cases)


def verdict(old, new, **options):
    (change,) = comparing.compare(result(old), result(new), **options).changes
    return change.verdict


def test_an_interval_of_order_statistics_covers_the_median():
    """At least as often as it says, and not much more often than the binomial gives."""
    rng = np.random.default_rng(1)
    samples = rng.lognormal(size=(4000, 15))
    ends = [comparing.of_median(row, 0.95) for row in samples]
    covered = np.mean([i.low <= 1.0 <= i.high for i in ends])
    # P(4 <= Bin(15, 1/2) <= 11) = 0.9648, within four standard errors of 4000 draws.
    assert abs(covered - 0.9648) < 4 * np.sqrt(0.9648 * 0.0352 / 4000)


def test_too_few_rounds_say_nothing():
    assert comparing.of_median([1.0] * 7).high == np.inf
    assert comparing.of_median([1.0] * 8).high == 1.0
    assert verdict(case(1, rounds=7), case(2, rounds=7, scale=2)) == UNKNOWN


@pytest.mark.parametrize("seed", range(20))
def test_the_same_thing_twice_is_no_difference(seed):
    assert verdict(case(seed), case(seed + 100)) == SAME


def test_a_difference_beyond_noise_is_called():
    assert verdict(case(1), case(2, scale=1.2)) == SLOWER
    assert verdict(case(1), case(2, scale=0.8)) == FASTER


def test_passes_that_differ_widen_the_interval():
    """Within each pass the rounds agree; the passes do not, so 10 % can't be told from what they differ by."""
    assert verdict(case(1), case(2, scale=1.1)) == SLOWER
    assert verdict(case(1, drift=0.1), case(2, scale=1.1, drift=0.1)) == SAME


def test_the_interval_holds_the_ratio():
    change = comparing.change_of(case(1), case(2, scale=1.5))
    assert change.low < change.ratio < change.high and change.low < 1.5 < change.high


def test_a_clock_that_differs_cancels():
    fast, slow = case(1), case(2, scale=1.25, peak=80.0)
    assert verdict(fast, slow) == SLOWER
    assert verdict(fast, slow, per_cycle=True) == SAME


@pytest.mark.parametrize(
    "environment, words",
    [
        ({"cpu": "D"}, "cpu differs: C and D"),
        ({"compiler": "g 13"}, "compiler differs: g 12 and g 13"),
        ({"clock_ghz": {"low": 2.0, "median": 2.5, "high": 3.0}}, "clock differs: 3 and 2.5 GHz"),
        ({"peak_gflops": 110.0}, "FMA peak differs: 100 and 110 GFLOP/s"),
        ({"steal_share": 0.2}, "new: the hypervisor took 20 %"),
        ({"load_before": 3.0}, "new: a load of 3.0 on 2 CPUs"),
        ({"commit": "abc+"}, "new: the source tree of abc+ had changes"),
    ],
)
def test_what_stands_against_a_comparison_is_told(environment, words):
    found = comparing.compare(result(case(1)), result(case(2), **environment))
    assert len(found.warnings) == 1 and words in found.warnings[0]


def test_results_that_agree_raise_no_warning():
    assert comparing.compare(result(case(1)), result(case(2), peak_gflops=102.0)).warnings == []


@pytest.fixture
def files(tmp_path):
    def write(*cases, **environment):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        result(*cases, **environment).save(path)
        return str(path)

    return write


def test_a_result_survives_its_file(files):
    kept = result(case(1), case(2, name="b", engine="torch"))
    assert load(files(*kept.cases)) == kept


def test_the_command_fails_only_where_it_is_asked_to(files):
    old, new = files(case(1), case(3, name="b")), files(case(2, scale=1.2), case(4, name="b"))
    run = CliRunner().invoke(bench, ["compare", old, new])
    assert run.exit_code == 0 and "1 slower" in run.stdout and "1 no difference" in run.stdout
    assert CliRunner().invoke(bench, ["compare", old, new, "--check"]).exit_code == 1
    assert CliRunner().invoke(bench, ["compare", old, new, "--check", "--tolerance", "30"]).exit_code == 0
    assert CliRunner().invoke(bench, ["compare", new, old, "--check"]).exit_code == 0


def test_the_command_gives_data(files):
    run = CliRunner().invoke(bench, ["compare", files(case(1)), files(case(2, rounds=3)), "--json"])
    (change,) = json.loads(run.stdout)["changes"]
    assert change["verdict"] == UNKNOWN and change["interval"] is None


@pytest.mark.parametrize(
    "text, words",
    [
        ("{", "got no JSON"),
        ("[]", "got JSON without cases"),
        ('{"format": 9, "cases": []}', "expected format 1, got 9"),
        ('{"format": 1, "suite": "s", "environment": {}, "notes": [], "cases": [{}]}', "damaged"),
    ],
)
def test_a_file_that_is_none_is_refused(files, tmp_path, text, words):
    bad = tmp_path / "bad.json"
    bad.write_text(text)
    run = CliRunner().invoke(bench, ["compare", files(case(1)), str(bad)])
    assert run.exit_code == 1 and words in run.output and "Traceback" not in run.output


def test_results_without_a_common_case_are_refused(files):
    run = CliRunner().invoke(bench, ["compare", files(case(1)), files(case(1, name="b"))])
    assert run.exit_code == 1 and "expected a case that both have" in run.output
