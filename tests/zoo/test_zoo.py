"""Networks by name: made, run, and loaded with real weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

import pyconv
from pyconv import nn, preprocess, zoo
from pyconv.formats import load_torch_checkpoint, safetensors
from support.data import cifar10_test, mnist_test, shared

# Sides on which networks are run here; where none is given, the fully connected layers want their own.
SMALL = {
    **dict.fromkeys(("lenet5", "alexnet", "alexnet_grouped", "zfnet"), None),
    "inception_v3": 107,
    "resnet20": 32,
    "resnet56": 32,
    "fcn8s": 32,
    "unet": 188,
}
HEAVY = {"vgg16", "vgg19", "fcn32s", "fcn16s"}


@pytest.mark.parametrize("name", [n for n in zoo.names() if n not in HEAVY])
def test_random_weights_give_finite_scores(name):
    shape = zoo.entry(name).input_shape
    side = SMALL.get(name, 64) or shape[2]
    x = np.random.default_rng(0).standard_normal((1, shape[1], side, side), np.float32)
    nn.manual_seed(1)
    y = zoo.create(name, num_classes=7)(x)
    assert y.shape[:2] == (1, 7) and np.isfinite(y).all() and np.ptp(y) > 0


def test_the_same_seed_gives_the_same_weights():
    def weights(seed):
        nn.manual_seed(seed)
        return zoo.resnet18().state_dict()

    one, same, other = weights(3), weights(3), weights(4)
    assert all(np.array_equal(one[k], same[k]) for k in one)
    assert not np.array_equal(one["conv1.weight"], other["conv1.weight"])


def test_convolutions_begin_as_he_et_al_have_it():
    """Variance 2 / fan-out: of 2.4 million numbers, within 1 %."""
    weight = zoo.resnet18().layer4[1].conv2.weight
    assert weight.var() == pytest.approx(2 / (512 * 9), rel=0.01)


def test_names_functions_and_entries_are_one():
    assert len(set(zoo.names())) == len(zoo.names())
    for name in zoo.names():
        entry = zoo.entry(name)
        assert entry.make is getattr(zoo, name) and name in zoo.__all__
        if entry.recipe is not None:
            recipe = entry.preprocess()
            assert recipe.channels == entry.input_shape[1]
            assert recipe.crop == entry.input_shape[2] == entry.input_shape[3]


def test_unknown_names_and_options():
    with pytest.raises(ValueError, match="name: expected one of lenet5, .*, got 'resnet5'"):
        zoo.create("resnet5")
    with pytest.raises(TypeError, match="depth"):
        zoo.create("resnet18", depth=3)
    with pytest.raises(ValueError, match="activation: expected one of tanh, relu, got 'elu'"):
        zoo.lenet5(activation="elu")
    with pytest.raises(ValueError, match="pretrained: the weights are those of 10 classes"):
        zoo.lenet5(pretrained=True, pooling="max")
    with pytest.raises(ValueError, match="width: expected one of 0.5, 1.0, 1.5, 2.0, got 0.75"):
        zoo.shufflenet_v2(width=0.75)
    with pytest.raises(ValueError, match=r"depth: expected 6 n \+ 2, got 21"):
        zoo.resnet_cifar.ResNetCifar(21)


def test_weights_from_a_file(tmp_path):
    nn.manual_seed(5)
    net = zoo.lenet5(activation="relu", pooling="max")
    prefixed = {f"module.{k}": v.astype(np.float64) for k, v in net.state_dict().items()}
    safetensors.save(tmp_path / "f", prefixed)
    again = zoo.create("lenet5", weights=tmp_path / "f", activation="relu", pooling="max")
    x = np.ones((1, 1, 28, 28), np.float32)
    np.testing.assert_array_equal(again(x), net(x))
    with pytest.raises(ValueError, match="expected the .* names of MobileNetV2; missing"):
        zoo.create("mobilenet_v2", weights=tmp_path / "f")


def test_names_of_the_published_densenet_are_taken():
    net = zoo.densenet121(num_classes=3)
    state = net.state_dict()
    dotted = {}
    for key, value in state.items():
        layer, name, rest = key.rpartition(".")[0].rpartition(".") if ".denselayer" in key else (key, "", "")
        dotted[f"{layer}.{rest[:-1]}.{rest[-1]}.{key.rpartition('.')[2]}" if name else key] = value
    assert "features.denseblock1.denselayer1.norm.1.weight" in dotted
    other = zoo.densenet121(num_classes=3)
    other.load_state_dict(dotted)
    assert all(np.array_equal(a, b) for a, b in zip(state.values(), other.state_dict().values()))


def correct(net, batches, labels, size):
    model = pyconv.compile(net, (size, *batches.shape[1:]))
    starts = range(0, len(batches), size)
    return sum(int((model(batches[i : i + size]).argmax(1) == labels[i : i + size]).sum()) for i in starts)


def test_lenet5_reads_mnist():
    pictures, labels = mnist_test()
    x = preprocess.mnist.normalized(pictures[..., None])
    assert correct(zoo.lenet5(pretrained=True), x, labels, 100) == 9954


def test_the_sample_digits_are_those_of_the_test_set():
    digits, labels = zoo.sample_digits()
    pictures, known = mnist_test()
    where = [int(np.flatnonzero((pictures == digit).all((1, 2)))[0]) for digit in digits]
    assert np.array_equal(known[where], labels)
    assert np.array_equal(np.bincount(labels), [3] * 10)


@pytest.mark.parametrize(
    "name, file, right",
    [("resnet20", "resnet20-12fca82f.th", 9173), ("resnet56", "resnet56-4bfd9763.th", 9339)],
)
def test_resnets_recognise_cifar10(name, file, right):
    pictures, labels = cifar10_test()
    net = zoo.create(name, weights=shared("models", file))
    assert correct(net, preprocess.cifar10.normalized(pictures), labels, 50) == right


def test_checkpoints_bring_every_weight():
    state = load_torch_checkpoint(shared("models", "resnet20-12fca82f.th"), strip_prefix="module.")
    net = zoo.resnet20()
    net.load_state_dict(state)
    for key, value in net.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(value, state[key])


def folded_mobilenet_v1(path):
    """The zoo's MobileNet v1 with the weights of a file whose batch norms are folded: these become
    weight 1, bias that of the convolution, mean 0, variance 1 - eps."""
    onnx = pytest.importorskip("onnx")
    net = zoo.mobilenet_v1(num_classes=1001)
    model = onnx.load(path)
    arrays = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    convolutions = [node.input[1:] for node in model.graph.node if node.op_type == "Conv"]
    state = net.state_dict()
    *body, classifier = convolutions
    prefixes = [key.removesuffix("0.weight") for key, value in state.items() if value.ndim == 4]
    for prefix, (weight, bias) in zip(prefixes, body, strict=True):
        state[f"{prefix}0.weight"] = arrays[weight]
        state[f"{prefix}1.bias"] = arrays[bias]
        state[f"{prefix}1.running_var"] = np.full_like(arrays[bias], 1 - 1e-3)
    state["classifier.weight"] = arrays[classifier[0]].squeeze((2, 3))
    state["classifier.bias"] = arrays[classifier[1]]
    net.load_state_dict(state)
    return net


def test_mobilenet_v1_recognises_photographs():
    pytest.importorskip("PIL")
    net = folded_mobilenet_v1(shared("models", "mobilenet_v1_1.0_224.onnx"))
    reference = json.loads(shared("imagenet_sample", "reference.json").read_text())
    first = 0
    for name, known in reference.items():
        logits = net(preprocess.tf_inception(shared("imagenet_sample", name)))[0, 1:]
        best = np.argsort(-logits, kind="stable")[:5].tolist()
        assert best == [index for index, _ in known["mobilenet_v1_top5"]], name
        first += best[0] == known["class"]
    assert first == 93
