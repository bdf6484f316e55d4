"""The exporters of pyconv.bench.networks: what a peer is given computes what our graph computes."""

import importlib
from pathlib import Path

import numpy as np
import pytest

import pyconv
from pyconv import nn
from pyconv.nn import functional as F


@pytest.fixture
def networks():
    return importlib.import_module("pyconv.bench.networks")


class Everything(nn.Module):
    """Every operator that the measured networks use, at sizes that show a swapped axis or side."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, (3, 5), stride=(2, 1), padding=(1, 2), bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding="same", stride=2, groups=8)
        self.grouped = nn.Conv2d(8, 12, 1, groups=2)
        self.squeeze = nn.Conv2d(12, 4, 1)
        self.excite = nn.Conv2d(4, 12, 1)
        self.late = nn.BatchNorm2d(24)
        self.fc = nn.Linear(24 * 3 * 4, 7)

    def forward(self, x):
        x = F.relu6(self.bn(self.stem(x)))
        x = F.local_response_norm(x, 5)
        x = self.grouped(F.silu(self.depthwise(x)))
        x = x * F.sigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        x = F.relu(x + F.tanh(x))
        x = F.cat([F.max_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1)], 1)
        x = F.max_pool2d(self.late(x), 2, 1, ceil_mode=True)
        return self.fc(x.flatten(1))


SHAPE = (2, 3, 29, 19)


@pytest.fixture
def net():
    nn.manual_seed(3)
    return Everything()


def test_the_exchanged_graph_keeps_activations_and_folds_batch_norms(networks, net):
    graph = networks.exchanged(net, SHAPE)
    ops = [node.op for node in graph.nodes]
    assert ops.count("batch_norm") == 1
    assert {"relu6", "silu", "sigmoid", "relu", "tanh", "lrn"} <= set(ops)
    assert not any("activation" in node.attributes for node in graph.nodes)
    fused = networks.exchanged(net, SHAPE, activations=True)
    assert "relu6" not in [node.op for node in fused.nodes]
    assert graph.shapes[graph.inputs[0]] == SHAPE
    assert graph.macs == sum(node["macs"] for node in pyconv.compile(net, SHAPE).graph.nodes())


def test_consumers_count_results_too(networks, net):
    graph = networks.exchanged(net, SHAPE)
    counts = graph.consumers()
    assert counts[graph.outputs[0]] == 1 and counts[graph.inputs[0]] == 1
    assert max(counts.values()) == 2


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "torch", "ncnn", "mnn"])
def test_a_peer_computes_what_the_graph_computes(networks, net, tmp_path, name):
    peers = importlib.import_module("pyconv.bench.peers")
    peer = peers.load(name)
    if peer is None:
        pytest.skip(f"{name} is not installed")
    if name in ("onnxruntime", "openvino", "mnn"):
        pytest.importorskip("onnx")
    engines = importlib.import_module("pyconv.bench.networks.engines")
    fused = networks.exchanged(net, SHAPE, activations=True)
    engines.write_for_peers(networks.exchanged(net, SHAPE), fused, [name], tmp_path)
    src = networks.pictures(SHAPE)
    expected = pyconv.compile(net, SHAPE, accuracy="exact")(src)
    for runner in peer.network_runners(tmp_path, src, 1):
        runner.run()
        assert_close(runner.result(), expected)


def test_layers_hold_every_step_against_a_bound(networks, net, tmp_path):
    layers = importlib.import_module("pyconv.bench.networks.layers")
    profile = layers.profiled(pyconv.compile(net, SHAPE), networks.pictures(SHAPE))
    assert all(layer.bound > 0 and layer.seconds >= 0 for layer in profile.layers)
    gaps = [layer.gap for layer in profile.largest_gaps()]
    assert gaps == sorted(gaps, reverse=True)
    report = layers.report("net", profile, count=3)
    *_, total = report.rows
    assert total["layer"] == f"sum of {len(profile.layers)}"
    assert total["MMAC"] == pytest.approx(networks.exchanged(net, SHAPE).macs / 1e6)
    report.save(tmp_path / "layers.txt")
    assert "commit" in (tmp_path / "layers.txt").read_text().splitlines()[0]


def test_the_child_process_reports_its_memory(networks, net, tmp_path):
    memory = importlib.import_module("pyconv.bench.networks.memory")
    engines = importlib.import_module("pyconv.bench.networks.engines")
    harness = importlib.import_module("pyconv.bench.harness")
    if not Path("/proc/self/status").exists():
        pytest.skip("/proc/self/status is not there")
    src = networks.pictures(SHAPE)
    engines.ours.write(net, SHAPE, tmp_path, "exact")
    task = engines.Task(tmp_path, src, pyconv.compile(net, SHAPE, accuracy="exact")(src), 0)
    report = harness.Report("memory", memory.COLUMNS, quiet=True)
    memory.measure("net", task, engines.Setup(accuracy="exact"), (), report)
    assert not report.notes
    (row,) = report.rows
    assert 0 < row["imports"] <= row["resident"] <= row["peak"] and row["first ms"] > 0


def assert_close(got, expected):
    """Each of the 20 layers sums at most 288 products and has an error of 290 u of magnitudes that
    cancel by less than 10: 20 * 290 * 10 * 2^-24 < 4e-3. A wrong side or axis is off by the whole."""
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 4e-3 * np.abs(expected).max()


def test_a_network_beside_engines_that_cannot_run_it(networks, net, monkeypatch):
    """Ours is timed; an engine says why it is not."""
    beside = importlib.import_module("pyconv.bench.networks.beside")
    engines = importlib.import_module("pyconv.bench.networks.engines")
    monkeypatch.setattr(beside, "_write", lambda *_: None)

    def ready(name, task, setup):
        if name == "mnn":
            raise KeyError("lrn")
        raise engines.Unsupported("not installed")

    monkeypatch.setattr(beside, "ready", ready)
    model, plain = pyconv.compile(net, SHAPE), pyconv.compile(net, SHAPE, without=beside.without())
    own, *others = beside.compare(model, plain, ["torch", "mnn"], seconds=0.05)
    assert own["name"] == "pyconv" and 0 < own["min_s"] <= own["median_s"]
    assert others == [{"name": "torch", "reason": "not installed"}, {"name": "mnn", "reason": "no 'lrn' of it"}]
