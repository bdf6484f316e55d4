"""The model file: written by Python, read by the core, trusted by nobody."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import pyconv
from pyconv import _core, nn
from pyconv.formats import model_file, safetensors
from pyconv.graph import GraphBuilder
from pyconv.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Linear(16, 5)

    def forward(self, x):
        y = F.leaky_relu(self.bn(self.conv(x)), 0.25)
        y = F.cat([y, y * 2.0], 1).mean((2, 3))
        return self.fc(y), F.softmax(y)


X = np.random.default_rng(0).standard_normal((2, 3, 9, 8), np.float32)


@pytest.fixture
def model():
    nn.manual_seed(1)
    return pyconv.compile(Net(), X.shape, accuracy="exact", threads=2, algorithms={"conv": "im2col"})


def test_saved_and_loaded_it_gives_the_same_bits(model, tmp_path):
    path = tmp_path / "net.pyconv"
    model.save(path)
    loaded = pyconv.load(path)
    assert loaded.options == model.options and loaded.arena_bytes == model.arena_bytes
    for a, b in zip(loaded(X), model(X)):
        np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32))
    fast = pyconv.load(path, accuracy="fast", algorithms={})
    assert fast.options.accuracy == "fast" and fast.options.threads == 2
    assert [s["name"] for s in fast.describe()["steps"]] == [s["name"] for s in model.describe()["steps"]]


def test_pickled_it_gives_the_same_bits(model):
    loaded = pickle.loads(pickle.dumps(model))
    for a, b in zip(loaded(X), model(X)):
        np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32))


def test_other_tools_read_the_weights(model, tmp_path):
    reader = pytest.importorskip("safetensors.numpy")
    model.save(tmp_path / "net.pyconv")
    found = reader.load_file(tmp_path / "net.pyconv")
    assert found["fc.weight"].shape == (5, 16)


def test_infinities_names_and_absent_inputs_survive(tmp_path):
    builder = GraphBuilder()
    x = builder.input('a name with "quotes", ünïcode\n', (1, 2, 4, 4))
    weight = np.ones((2, 2, 1, 1), np.float32)
    y = builder.node("conv", [x, builder.constant(weight), None, x], "x")
    z = builder.node("conv", [y, builder.constant(weight * 2)], "x")
    builder.outputs([z, y], ["z", "a name"])
    model = pyconv.compile(builder)
    model.save(tmp_path / "m")
    loaded = pyconv.load(tmp_path / "m")
    data = np.random.default_rng(1).standard_normal((1, 2, 4, 4), np.float32)
    for a, b in zip(loaded(data), model(data)):
        np.testing.assert_array_equal(a, b)
    assert loaded.input_shapes == model.input_shapes and loaded.output_shapes == model.output_shapes


def stored(model):
    return model_file.contents(model.graph, {"pyconv.options": model.options.as_json()})


def parse(tensors, metadata):
    return _core.parse_model_bytes(safetensors.dumps(tensors, metadata=metadata))


def test_every_truncation_and_many_bit_flips_are_refused_or_harmless(model):
    data = model_file.dumps(model.graph, {})
    for end in [*range(64), *range(64, len(data), 97)]:
        with pytest.raises(ValueError):
            _core.parse_model_bytes(data[:end])
    generator = np.random.default_rng(0)
    header = 8 + int.from_bytes(data[:8], "little")
    for _ in range(3000):
        damaged = bytearray(data)
        for _ in range(int(generator.integers(1, 4))):
            damaged[generator.integers(0, header)] ^= 1 << int(generator.integers(0, 8))
        try:
            _core.parse_model_bytes(bytes(damaged))
        except ValueError:
            continue
        except UnicodeDecodeError:
            continue


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g["nodes"][0].update(op="no such"), "expected an operator of pyconv, got 'no such'"),
        (lambda g: g["nodes"][0].update(op="relu"), "there is no attribute 'activation'"),
        (lambda g: g["nodes"][0]["inputs"].__setitem__(0, "nowhere"), "there is no value 'nowhere'"),
        (lambda g: g["nodes"].reverse(), "there is no value"),
        (lambda g: g["nodes"][0]["attributes"].update(stride=[0, 1]), "stride: expected 2 integers of 1"),
        (lambda g: g["nodes"][0]["attributes"].update(stride="1"), "attribute 'stride': expected integers"),
        (lambda g: g["nodes"][0]["attributes"].update(padding=[2**40] * 4), "padding|2\\^|expected"),
        (lambda g: g["nodes"][0]["attributes"].update(groups=2**62), "groups"),
        (lambda g: g["nodes"][0]["outputs"].append("more"), "outputs: expected 1, got 2"),
        (lambda g: g["inputs"][0].update(shape=[2**62, 2**62, 4, 4]), "shape"),
        (lambda g: g["inputs"][0].update(shape=[-1, 3, 4, 4]), "shape"),
        (lambda g: g["inputs"][0].update(dtype="complex"), "dtype"),
        (lambda g: g["inputs"].append(dict(g["inputs"][0])), "of this name already|defined twice"),
        (lambda g: g["constants"][0].update(tensor="nowhere"), "there is no tensor 'nowhere'"),
        (lambda g: g["outputs"].clear(), "expected one or more, got none"),
        (lambda g: g.pop("nodes"), "expected a member 'nodes'"),
    ],
)  # fmt: skip
def test_wrong_graphs_are_refused_with_a_reason(model, change, message):
    tensors, metadata = stored(model)
    graph = json.loads(metadata["pyconv.graph"])
    change(graph)
    with pytest.raises(ValueError, match=message):
        parse(tensors, {**metadata, "pyconv.graph": json.dumps(graph)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100, "nested more than 32 deep"),
        ('{"inputs": [], "inputs": []}', "stands there twice"),
        ('{"inputs": [1e999]}', "beyond the range"),
        ('{"inputs": "\\ud800"}', "half a surrogate"),
        ("{} {}", "expected the end"),
        ("", "expected a value"),
        ("nul", "expected a value"),
        ("01", "begins with 0"),
        ('"\\x"', "no such escape"),
    ],
)
def test_wrong_json_is_refused_with_its_byte(model, text, message):
    tensors, metadata = stored(model)
    with pytest.raises(ValueError, match=message):
        parse(tensors, {**metadata, "pyconv.graph": text})


def test_versions_and_options_are_checked(model, tmp_path):
    tensors, metadata = stored(model)
    with pytest.raises(ValueError, match="version: expected 1, got '2'"):
        parse(tensors, {**metadata, "pyconv.version": "2"})
    with pytest.raises(ValueError, match="expected a model file of pyconv"):
        parse(tensors, {})
    safetensors.save(tmp_path / "m", tensors, metadata={**metadata, "pyconv.options": '{"threads": "x"}'})
    with pytest.raises(ValueError, match="options: expected a JSON object"):
        pyconv.load(tmp_path / "m")
    with pytest.raises(OSError, match="no such file|No such file"):
        pyconv.load(tmp_path / "absent")


def raw(header, data=b""):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a safetensors file"),
        ((2**63).to_bytes(8, "little") + b"{}", "header: 9223372036854775808 bytes"),
        (raw({"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}, b"0" * 8), "dtype: expected"),
        (raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}}, b"0" * 8), "takes 4 bytes"),
        (raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"0" * 4), "begin <= end"),
        (raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}, b"0" * 4), "begin <= end"),
        (
            raw({n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in "ab"}, b"0" * 4),
            "overlaps",
        ),
        (raw({"a": {"dtype": "F32", "shape": [2**31] * 4, "data_offsets": [0, 0]}}), "shape"),
        (raw({"a": {"dtype": "F32", "shape": [1] * 9, "data_offsets": [0, 4]}}, b"0" * 4), "at most 8"),
    ],
)
def test_wrong_files_are_refused_with_a_reason(data, message):
    with pytest.raises(ValueError, match=message):
        _core.parse_model_bytes(data)
