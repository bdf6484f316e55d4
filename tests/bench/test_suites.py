"""The suites of `pyconv bench`: what they list, check, time and write."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("rich", reason="the study extra is missing")

from click.testing import CliRunner  # noqa: E402

from pyconv.bench import kernels, layers, suite  # noqa: E402
from pyconv.bench.commands import bench  # noqa: E402
from pyconv.bench.harness import Options  # noqa: E402
from pyconv.bench.peers import Runner  # noqa: E402
from pyconv.bench.result import load  # noqa: E402

QUICK = Options(rounds=2, sample_seconds=1e-5)


def job(name, result=1.0):
    return suite.Job(
        name, lambda: (1000, {"pyconv": Runner("way", lambda: None, lambda: np.float32(result))})
    )


def refuses():
    raise suite.LeftOut("not here")


def test_every_pass_makes_the_jobs_ready_anew():
    told = []
    found = suite.run("s", [job("a"), job("b")], QUICK, passes=3, on_job=told.append)
    assert told == ["a", "b"] * 3
    assert [case.key for case in found.cases] == [("a", "pyconv"), ("b", "pyconv")]
    assert all([len(samples) for samples in case.passes] == [2, 2, 2] for case in found.cases)
    assert all(len(case.peaks) == 3 for case in found.cases)


def test_a_job_that_cannot_run_is_noted_once():
    found = suite.run("s", [suite.Job("a", refuses), job("b")], QUICK, passes=2)
    assert found.notes == ("a: not here",) and len(found.cases) == 1


def test_a_result_says_what_it_holds_for():
    found = suite.run("s", [job("a")], QUICK, passes=1).environment
    assert {"cpu", "isa", "threads", "cpus", "compiler", "commit", "steal_share", "load_before"} <= set(found)
    assert found["peak_gflops"] > 0 and 0.1 < found["clock_ghz"]["median"] < 10


def test_jobs_have_names_of_their_own():
    for jobs in (layers.jobs(), kernels.jobs()):
        assert len({job.name for job in jobs}) == len(jobs) > 10


def test_a_wrong_name_is_told_with_the_right_ones():
    with pytest.raises(ValueError, match="shapes: expected some of .*tails.*, got tail"):
        layers.jobs(["tail"])
    with pytest.raises(ValueError, match="families: expected some of .*gemm.*, got gem"):
        kernels.jobs(["gem"])


@pytest.mark.parametrize(
    "arguments", [["kernels", "transpose"], ["layers", "one_pixel"], ["networks", "lenet5"]]
)
def test_a_suite_runs_from_the_command_line(arguments, tmp_path):
    path = tmp_path / "out.json"
    run = CliRunner().invoke(bench, [*arguments, "--quick", "--sample-ms", "0.01", "--json", str(path)])
    assert run.exit_code == 0, run.output
    found = load(path)
    assert found.suite == arguments[0] and found.cases
    for case in found.cases:
        assert case.engine == "pyconv" and case.samples and case.name.rpartition("/")[2] in run.stdout
    assert json.loads(path.read_text())["environment"]["compiler"] in run.stdout.replace("\n", " ")


def test_bad_arguments_become_one_sentence(tmp_path):
    for arguments, words in (
        (["layers", "nothing"], "shapes: expected some of"),
        (["layers", "tails", "--peers", "tensorflow"], "--peers: expected some of onnxruntime"),
        (["networks", "lenet6"], "networks: expected some of lenet5"),
        (
            ["kernels", "transpose", "--json", str(tmp_path / "no" / "x.json")],
            "expected a folder that exists",
        ),
    ):
        run = CliRunner().invoke(bench, arguments)
        assert run.exit_code == 1 and words in run.output, run.output
