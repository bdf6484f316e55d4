"""The `pyconv` command."""

import builtins
import json

import pytest
from click.testing import CliRunner

from pyconv import cli
from pyconv.study import machine
from pyconv.study.commands import pyconv


@pytest.fixture
def run(monkeypatch, roofline, tmp_path):
    monkeypatch.setattr(machine, "roofline", lambda *_, **__: roofline)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def invoke(*arguments, status=0):
        result = CliRunner().invoke(pyconv, [str(a) for a in arguments])
        assert result.exit_code == status, result.output
        return result.stdout if status == 0 else result.stderr

    return invoke


SMALL = ("--channels", 4, "--size", "8x6", "--rounds", 1)


def test_study_writes_table_picture_and_json(run, tmp_path):
    output = run("study", *SMALL, "--output", tmp_path / "made" / "here")
    assert "depthwise-separable" in output and "fewer MACs" in output
    written = sorted(p.name for p in (tmp_path / "made" / "here").iterdir())
    assert written == ["study-c4f4_8x6k3.json", "study-c4f4_8x6k3.png"]


def test_study_as_json(run, tmp_path):
    document = json.loads(run("study", *SMALL, "--json", "--no-plot", "--filters", 5, "--output", tmp_path))
    assert document["settings"]["filters"] == 5
    assert document["settings"]["width"] == 6
    assert [p.suffix for p in tmp_path.iterdir()] == [".json"]


@pytest.mark.parametrize(
    "option", [("--size", "0"), ("--size", "5x5x5"), ("--channels", 0), ("--kernel", "x")]
)
def test_study_refuses(run, option):
    assert "Invalid value" in run("study", *option, status=2)


def test_probe(run, tmp_path):
    output = run("probe", "--plot", tmp_path / "roof.png")
    assert "FMA peak 200.0 GFLOP/s" in output
    assert all(word in output for word in ("scalar", "1 thread", "GHz", "first touch of a page"))
    assert (tmp_path / "roof.png").stat().st_size > 10_000
    kept = json.loads(run("probe", "--json"))
    assert kept["peak_gflops"] == 200.0 and kept["peaks"]["scalar"]["1"] > 0


def test_algorithms(run):
    output = run("algorithms", "ic4oc4_ih8kh3ph1")
    assert "refused: the kernel is 3x3, not 1x1" in output and "chosen" in output
    assert "GFLOP/s" in run("algorithms", "ic4oc4_ih8kh3ph1", "--measure")
    measured = json.loads(run("algorithms", "ic4oc4_ih8kh3ph1", "--measure", "--json"))
    ways = {way["name"]: way for way in measured["algorithms"]}
    assert ways["pointwise"]["reason"] and ways["pointwise"]["timing"] is None
    assert ways["winograd_f2"]["executed_macs"] == 16 * 16 * 16 < measured["macs"] == 64 * 36 * 4
    for way in (way for way in ways.values() if way["accepted"]):
        assert way["timing"]["min_s"] > 0 and 0 <= way["error"] < 1e-4 and way["roofline_share"] > 0
    assert "problem: expected a line like" in run("algorithms", "nonsense", status=1)


def test_size(run):
    assert run("size", 32, 5).endswith("= 28\n")
    assert "does not fit" in run("size", 7, 3, "--stride", 3)
    assert run("size", 7, 3, "--padding", 1, 1).endswith("= 7\n")
    assert "does not fit an input of 3" in run("size", 3, 5, status=1)


def test_kernels(run):
    assert "scalar" in run("kernels")
    assert run("kernels", "--all").count("\n") >= run("kernels").count("\n")


def test_config(run):
    assert "instruction set" in run("config")


@pytest.mark.parametrize(
    "name, package", [("click", "click"), ("rich", "rich"), ("matplotlib", "matplotlib")]
)
def test_a_missing_extra_is_explained(monkeypatch, name, package):
    monkeypatch.setattr(cli.sys, "argv", ["pyconv", "study"])
    monkeypatch.delitem(cli.sys.modules, "pyconv.study.commands")
    real_import = builtins.__import__

    def without(module, *arguments, **options):
        if module.partition(".")[0] == "click":
            raise ModuleNotFoundError(f"No module named {name!r}", name=f"{name}.part")
        return real_import(module, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert package in str(exit_.value) and "pip install 'pyconv-engine[study]'" in str(exit_.value)
