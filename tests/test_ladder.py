"""benchmarks/ladder.py climbs a small problem, and writes what it says it writes."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def climb(folder, problem, *more):
    command = [sys.executable, "-m", "benchmarks.ladder", "--problem", problem, "--rounds", "1"]
    command += ["--sample-ms", "0.1", "--png", str(folder / "l.png"), "--json", str(folder / "l.json"), *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_every_rung_is_checked_and_listed(tmp_path):
    done = climb(tmp_path, "ic3oc5_ih8kh3ph1")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "l.json").read_text())["reports"][0]
    rungs = [row["rung"] for row in report["rows"]]
    assert rungs[0] == "python loops"
    assert {"cython, blocked loops", "pyconv reference", "pyconv implicit_gemm", "pyconv winograd_f4"} <= {*rungs}
    assert all(row["why"].endswith(".") and row["GFLOP/s"] > 0 for row in report["rows"])
    assert (tmp_path / "l.png").exists() or "no plot" in done.stdout


def test_a_problem_that_the_lower_rungs_cannot_take_is_refused(tmp_path):
    done = climb(tmp_path, "g2ic4oc4_ih8kh3ph1")
    assert done.returncode == 2
    assert "one group" in done.stderr
