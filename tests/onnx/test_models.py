"""Whole ONNX models: the package's light networks, and real weights on real pictures where they are."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import pyconv  # noqa: E402
from pyconv.formats.onnx import OnnxNetwork  # noqa: E402
from support import onnx_light as light  # noqa: E402
from support.arrays import assert_same_bits  # noqa: E402
from support.data import cifar10_test, shared  # noqa: E402

MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


@pytest.mark.parametrize("name", light.NAMES)
def test_light_networks_give_their_stored_outputs(name):
    """Their weights are constants, so that all outputs are one number: this shows little but shapes."""
    path = light.path_of(name)
    model = onnx.load(path)
    label, shape = light.input_of(model)
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / np.float32(np.prod(shape))
    y = pyconv.compile(pyconv.load(path), {label: shape})(x)
    np.testing.assert_allclose(y, light.expected(name), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("accuracy", ["fast", "exact"])
@pytest.mark.parametrize("name", light.NAMES)
def test_light_networks_with_weights_of_their_own(name, accuracy):
    runtime = pytest.importorskip("onnxruntime")
    model = light.with_random_weights(name)
    label, shape = light.input_of(model)
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    (want,) = session.run(None, {label: x})
    y = pyconv.compile(OnnxNetwork(model), accuracy=accuracy)(x)
    assert len(np.unique(want)) > 500
    assert np.abs(y - want).max() <= 1e-4 * np.abs(want).max()


def crop(path):
    """The shorter side to 256, the middle 224."""
    image = pytest.importorskip("PIL.Image")
    picture = image.open(path).convert("RGB")
    scale = 256 / min(picture.size)
    picture = picture.resize([round(side * scale) for side in picture.size], image.Resampling.BILINEAR)
    left, top = ((side - 224) // 2 for side in picture.size)
    return np.asarray(picture.crop((left, top, left + 224, top + 224)), np.float32)


MOBILENETS = {
    "mobilenet_v1_1.0_224": (lambda p: (p - 128) / 128, 1, 93, 100),
    "mobilenet_v2": (lambda p: (p / 255 - MEAN) / STD, 0, 84, 98),
}


@pytest.fixture(scope="module")
def photographs():
    folder = shared("imagenet_sample")
    reference = json.loads((folder / "reference.json").read_text())
    return {name: (crop(folder / name), entry) for name, entry in reference.items()}


def same_but_for_ties(found, top5):
    """Whether two lists are equal where the reference's five digits tell their entries apart; what it
    writes as 0 may be any class."""
    shares = dict(map(tuple, top5))
    for got, (want, share) in zip(found, top5):
        if got != want and share != shares.get(got, 0.0):
            return False
    return True


@pytest.mark.parametrize("accuracy", ["fast", "exact"])
@pytest.mark.parametrize("name", MOBILENETS)
def test_mobilenets_on_photographs(name, accuracy, photographs):
    normalized, background, top1, top5 = MOBILENETS[name]
    path = shared("models", f"{name}.onnx")
    model = pyconv.compile(pyconv.load(path), (1, 3, 224, 224), accuracy=accuracy)
    session = None
    if importlib.util.find_spec("onnxruntime"):
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    hits = [0, 0]
    for label, (pixels, entry) in photographs.items():
        x = np.ascontiguousarray(normalized(pixels).transpose(2, 0, 1)[None], np.float32)
        logits = model(x)
        found = np.argsort(-logits[0, background:], kind="stable")[:5].tolist()
        hits[0] += found[0] == entry["class"]
        hits[1] += entry["class"] in found
        if background:
            assert same_but_for_ties(found, entry["mobilenet_v1_top5"]), label
        if session:
            (want,) = session.run(None, {"input": x})
            assert np.abs(logits - want).max() <= 1e-4 * np.abs(want).max(), label
            assert found == np.argsort(-want[0, background:], kind="stable")[:5].tolist(), label
    assert hits == [top1, top5]


@pytest.mark.parametrize("name, correct", [("cifar10_resnet20", 9173), ("cifar10_resnet56", 9339)])
def test_resnets_on_cifar10(name, correct):
    path = shared("models", f"{name}.onnx")
    pixels, labels = cifar10_test()
    x = ((pixels.astype(np.float32) / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
    model = pyconv.compile(pyconv.load(path), (100, 3, 32, 32), threads=None)
    found = [model(np.ascontiguousarray(x[i : i + 100], np.float32)).argmax(1) for i in range(0, 10000, 100)]
    assert int((np.concatenate(found) == labels).sum()) == correct


@pytest.mark.parametrize("name, side", [("cifar10_resnet20", 32), ("mobilenet_v2", 96)])
def test_exact_bits(name, side):
    """The same for any batch, number of threads and instruction set, and without passes that keep them."""
    network = pyconv.load(shared("models", f"{name}.onnx"))
    if side != 32:  # the whole size is slow in scalar
        network.inputs["input"] = ("N", 3, side, side)
    x = np.random.default_rng(2).standard_normal((4, 3, side, side)).astype(np.float32)
    whole = pyconv.compile(network, x.shape, accuracy="exact")(x)
    for threads in (2, 4):
        assert_same_bits(pyconv.compile(network, x.shape, accuracy="exact", threads=threads)(x), whole)
    one = (1, *x.shape[1:])
    single = pyconv.compile(network, one, accuracy="exact")
    assert_same_bits(np.concatenate([single(x[i : i + 1]) for i in range(len(x))]), whole)
    for isa in sorted({k.isa for k in pyconv.kernels() if k.available}):
        assert_same_bits(pyconv.compile(network, one, accuracy="exact", max_isa=isa)(x[:1]), whole[:1], isa)
    for label, _, keeps_bits in pyconv.passes():
        if keeps_bits:
            without = pyconv.compile(network, one, accuracy="exact", without=[label])
            assert_same_bits(without(x[:1]), whole[:1], label)


def test_a_loaded_model_saves_and_loads_as_a_model_file(tmp_path):
    path = shared("models", "cifar10_resnet20.onnx")
    x = np.random.default_rng(3).standard_normal((1, 3, 32, 32)).astype(np.float32)
    model = pyconv.compile(pyconv.load(path), x.shape)
    model.save(tmp_path / "resnet.pyconv")
    assert_same_bits(pyconv.load(tmp_path / "resnet.pyconv")(x), model(x))
