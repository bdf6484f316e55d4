"""`pyconv stress`: what it says of promises kept and broken, and a short run of each."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("rich", reason="the study extra is missing")

from click.testing import CliRunner  # noqa: E402

from pyconv.commands.stress import stress  # noqa: E402
from pyconv.trust import run  # noqa: E402
from pyconv.trust.compare import Broken, same_bits, within  # noqa: E402
from pyconv.trust.promises import PROMISES, Promise  # noqa: E402
from pyconv.trust.work import Work  # noqa: E402


def invoke(*arguments, status=0):
    result = CliRunner().invoke(stress, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return result.stdout if status == 0 else result.output


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_every_promise_is_kept_for_a_moment(promise):
    found = run.show(promise, 1, 0.3, limit=250 if promise.name == "guard" else 20)
    assert found.kept is not False, found.text
    assert found.figures or found.kept is None


def test_the_command_prints_figures_and_json():
    options = ("--only", "problems", "--cases", 2, "--seed", 4)
    assert "2 problems" in invoke(*options) and "seed 4" in invoke(*options)
    document = json.loads(invoke(*options, "--json"))
    assert document["seed"] == 4 and document["machine"]["isas"]
    (found,) = document["promises"]
    assert found["kept"] is True and found["figures"]["problems"] == 2


def test_a_case_is_run_again_by_its_number():
    assert "1 problems" in invoke("--replay", "problems:4:1")


def test_the_list():
    assert all(promise.name in invoke("--list") for promise in PROMISES)
    assert set(json.loads(invoke("--list", "--json"))) == {promise.name for promise in PROMISES}


@pytest.mark.parametrize(
    "arguments, status, expected",
    [
        (["--minutes", "0"], 2, "--minutes"),
        (["--minutes", "soon"], 2, "not a valid float"),
        (["--seed", "-1"], 2, "--seed"),
        (["--cases", "0"], 2, "--cases"),
        (["--only", "world peace"], 2, "'problems'"),
        (["--replay", "problems"], 1, "expected PROMISE:SEED:NUMBER"),
        (["--replay", "problems:-1:2"], 1, "expected PROMISE:SEED:NUMBER"),
        (["--replay", "nothing:1:2"], 1, "expected one of problems"),
        (["--replay", "problems:1:2", "--seed", "1"], 1, "neither --only nor --seed nor --cases"),
    ],
)
def test_what_the_command_refuses(arguments, status, expected):
    assert expected in " ".join(invoke(*arguments, status=status).split())


def broken(name, **options):
    return run.show(Promise(name, "", f"support.broken_promises:{name}", 1.0, True), 9, 5.0, **options)


def test_a_wrong_result_names_its_case():
    found = broken("lies")
    assert found.kept is False and found.replay == "lies:9:3" and found.figures == {"cases": 4}
    assert (
        found.text
        == "counting: 1 of 1 differ in bits, first at (0,): got np.float32(3.0), expected np.float32(0.0)"
    )


def test_a_crash_names_its_case():
    found = broken("crashes")
    assert found.kept is False and found.replay == "crashes:9:5"
    assert "ended by SIGSEGV" in found.text and "broken_promises.py" in found.text


def test_silence_is_a_hang(monkeypatch):
    monkeypatch.setattr(run, "SILENCE", 2.0)
    found = broken("hangs")
    assert found.kept is False and "hangs: said nothing for 2 s" in found.text


def test_any_other_error_is_told_with_its_trace():
    found = broken("raises")
    assert found.kept is False and "RuntimeError: something else" in found.text


def test_a_library_may_print_and_a_promise_may_be_left_out():
    seen = []
    found = broken("talks", progress=lambda done, figures: seen.append(done))
    assert found.kept is True and found.figures == {"cases": 4, "largest": 0.5} and 0 <= seen[0] < 0.5
    found = broken("cannot")
    assert found.kept is None and found.text == "needs another machine"


def test_work_counts_cases_up_to_time_limit_and_most():
    assert list(Work(0, 60.0, limit=3).cases(5)) == [0, 1, 2]
    assert list(Work(0, 60.0, limit=7).cases(5)) == [0, 1, 2, 3, 4]
    assert list(Work(0, 60.0, only=11).cases(5)) == [11]
    assert list(Work(0, 1e-9).cases()) == [0]


def test_comparisons():
    nan, other = np.float32([np.nan]), -np.float32([np.nan])
    same_bits(nan, other, "any NaN")
    for got, want in (([0.0], [-0.0]), ([1.0], [1.0, 2.0]), ([np.nan], [1.0])):
        with pytest.raises(Broken):
            same_bits(np.float32(got), np.float32(want), "")
    assert within(np.float32([1.0]), np.array([1.5]), np.array([1.0]), "") == 0.5
    for got in (3.0, np.nan, np.inf):
        with pytest.raises(Broken, match="beyond the bound 1 at"):
            within(np.float32([got]), np.array([1.5]), np.array([1.0]), "")
