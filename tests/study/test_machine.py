"""pyconv.study.machine: the roofline's arithmetic, its cache, and that the probe measures at all."""

import json

import pytest

from pyconv import _core
from pyconv.study import machine, machine_probe


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.fixture
def invented(monkeypatch):
    """Probes that take no time; counts how often they were asked."""
    asked = []
    monkeypatch.setattr(_core, "probe_fma", lambda isa, seconds: asked.append(isa) or [90.0, 100.0])
    monkeypatch.setattr(
        _core, "probe_bandwidth", lambda isa, kind, size, seconds: asked.append(kind) or [30.0, 40.0]
    )
    return asked


def test_levels_by_footprint(roofline):
    sizes = [32 << 10, (32 << 10) + 1, 1 << 20, 20 << 20, 1 << 30]
    assert [roofline.level_of(size) for size in sizes] == ["L1", "L2", "L2", "L3", "DRAM"]
    assert roofline.bandwidth(20 << 20) == roofline.bandwidth("L3") == 100.0


def test_bound_is_the_slower_of_compute_and_memory(roofline):
    assert roofline.bound_seconds(200e9, 16 << 10) == pytest.approx(1.0)
    assert roofline.bound_seconds(1.0, 40e9) == pytest.approx(1.0)
    assert roofline.limit(200e9, 16 << 10) == "compute"
    assert roofline.limit(1.0, 40e9) == "DRAM"


def test_ridge_separates_them(roofline):
    assert roofline.ridge("L3") == 2.0
    assert roofline.attainable(1.0, "L3") == 100.0
    assert roofline.attainable(4.0, "L3") == 200.0


@pytest.mark.parametrize("arguments", [("L4",), ("L1", "write")])
def test_unknown_levels_and_kinds(roofline, arguments):
    with pytest.raises(ValueError, match="expected one of"):
        roofline.bandwidth(*arguments)


def test_roofline_is_kept_and_refreshed(invented):
    first = machine.roofline()
    assert len(invented) == machine.STEPS
    assert machine.roofline() == first
    assert len(invented) == machine.STEPS
    machine.roofline(refresh=True)
    assert len(invented) == 2 * machine.STEPS
    assert (first.peak_gflops, first.bandwidth("L2", "copy")) == (100.0, 40.0)


def test_what_is_not_to_be_kept_enters_an_empty_cache_alone(invented, monkeypatch):
    first = machine.roofline(refresh=True, keep=False)
    assert machine.roofline() == first
    monkeypatch.setattr(_core, "probe_fma", lambda isa, seconds: [50.0])
    assert machine.roofline(refresh=True, keep=False).peak_gflops == 50.0
    assert machine.roofline() == first


@pytest.mark.parametrize("text", ["", "{", "[]", "null", json.dumps({"format": 1}), '{"format": 0}'])
def test_a_damaged_cache_is_measured_again(invented, text):
    kept = machine.cache_file(machine.current_isa(), 1)
    kept.parent.mkdir(parents=True)
    kept.write_text(text)
    assert machine.roofline().peak_gflops == 100.0
    assert json.loads(kept.read_text())["peak_gflops"] == 100.0


def test_a_cache_that_cannot_be_written_is_no_error(invented, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert machine.roofline().peak_gflops == 100.0


def test_threads_add_up(invented):
    assert machine.fma_peak(threads=2) == 2 * 95.0
    assert machine.bandwidth("L2", "copy", threads=2) == 2 * 35.0


def test_every_step_is_told(invented):
    told = []
    machine.roofline(on_step=told.append)
    assert len(told) == machine.STEPS
    assert told[:2] == ["FMA peak", "L1 read"]
    told.clear()
    machine_probe.probe(on_step=told.append)
    assert len(told) == machine_probe.steps()


def test_the_whole_probe_is_kept_and_refreshed(invented):
    first = machine_probe.probe()
    assert first.roofline == machine.roofline()
    assert set(first.peaks) == set(_core.probe_isas()) and first.peaks["scalar"][1] == 100.0
    asked = len(invented)
    assert machine_probe.probe() == first and len(invented) == asked
    machine_probe.probe(refresh=True)
    assert len(invented) > asked


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"format": 1}), json.dumps({"format": 1, "clock": 3})])
def test_a_damaged_probe_is_measured_again(invented, text):
    kept = machine.cache_file(machine.current_isa(), 1, "probe")
    kept.parent.mkdir(parents=True)
    kept.write_text(text)
    assert machine_probe.probe().roofline.peak_gflops == 100.0


def test_the_clock_is_a_clock():
    """Nothing that runs this lies outside of 0.1 to 10 GHz; a second look is no other clock."""
    first, second = (max(_core.probe_clock(0.02)) for _ in range(2))
    assert 0.1 < first < 10 and 0.2 < first / second < 5


def test_pages_cost_something_or_nothing_is_told():
    cost = machine_probe.page_fault_seconds(1 << 20)
    assert cost is None or 0 <= cost < 1e-2


@pytest.mark.parametrize("isa", _core.probe_isas())
def test_the_probe_measures(isa):
    assert machine.fma_peak(isa, seconds=0.002) > 0
    for kind in machine.KINDS:
        assert machine.bandwidth(1 << 14, kind, isa=isa, seconds=0.002) > 0


def test_refusals():
    with pytest.raises(ValueError, match="isa: expected one of"):
        machine.fma_peak("mmx")
    with pytest.raises(ValueError, match="threads: expected at least 1, got 0"):
        machine.fma_peak(threads=0)
    with pytest.raises(ValueError, match="kind: expected"):
        machine.bandwidth("L1", "write")
    with pytest.raises(ValueError, match="bytes: expected"):
        machine.bandwidth(16)
    with pytest.raises(ValueError, match="kind: expected read, copy or scale"):
        _core.probe_bandwidth("scalar", "write", 4096, 0.001)
    with pytest.raises(ValueError, match="seconds: expected"):
        _core.probe_fma("scalar", -1.0)
