"""Networks whose convolutions became chains: they run, save and load, and say what they get wrong."""

import numpy as np
import pytest

import pyconv
from pyconv import nn
from pyconv.nn import functional as F
from pyconv.study import accuracy, dataset, factorize, gains, refit, rewrite
from pyconv.study import approximate as approximating
from pyconv.study.approximate import approximate
from support.data import cifar10_test, mnist_test, shared


class Net(nn.Module):
    """Batch norm, a residual, groups, a stride, a depthwise and a pointwise layer."""

    def __init__(self):
        super().__init__()
        nn.manual_seed(3)
        self.first = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.same = nn.Conv2d(16, 16, 3, padding=1)
        self.grouped = nn.Conv2d(16, 32, 3, 2, padding=1, groups=2)
        self.deep = nn.Conv2d(32, 32, 5, padding=2, groups=32)
        self.wide = nn.Conv2d(32, 24, 1)
        self.fc = nn.Linear(24, 5)

    def forward(self, x):
        x = F.relu(self.bn(self.first(x)))
        x = F.relu(self.same(x) + x)
        x = self.wide(F.relu(self.deep(F.relu(self.grouped(x)))))
        return self.fc(F.relu(x).mean((2, 3)))


SHAPE = (2, 3, 12, 14)
NAMES = ["first", "same", "grouped", "deep", "wide"]


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)


def full(name, conv):
    """The rank at which nothing is left out."""
    block = (conv.problem.oc // conv.problem.g, *conv.weight.shape[1:])
    most = factorize.METHODS[name].most(block)
    return most if len(most) > 1 else most[0]


@pytest.mark.parametrize("method", ["spatial", "tucker2", "depthwise"])
def test_a_network_of_full_rank_computes_the_same(method, x):
    """Chains of full rank put in by hand, whether they save or not."""
    graph = rewrite.plain(Net(), SHAPE)
    chains = {}
    for conv in rewrite.convolutions(graph):
        block = (conv.problem.oc // conv.problem.g, *conv.weight.shape[1:])
        if factorize.METHODS[method].refusal(block) is None:
            found = factorize.factorize(conv.weight, method, rank=full(method, conv), groups=conv.problem.g)
            assert found.error < 1e-6
            chains[conv.name] = rewrite.Chain(found, conv.bias)
    assert chains
    wanted = Net()(x)
    got = pyconv.compile(rewrite.made_anew(graph, chains))(x)
    np.testing.assert_allclose(got, wanted, atol=1e-4 * np.abs(wanted).max())


def test_a_model_file_keeps_its_fusions_and_computes_the_same(x, tmp_path):
    """The last stage takes the activation and the tensor that is added."""
    path = tmp_path / "net.pyconv"
    pyconv.compile(Net(), SHAPE, without=["fuse_inverted_residual"]).save(path)
    model = pyconv.load(path)
    graph = rewrite.plain(model)
    attributes = {n["name"]: n["attributes"].get("activation") for n in graph.nodes() if n["op"] == "conv"}
    assert attributes["same"] == "relu"
    convs = {conv.name: conv for conv in rewrite.convolutions(graph)}
    chains = {
        name: rewrite.Chain(
            factorize.factorize(conv.weight, "spatial", rank=full("spatial", conv), groups=conv.problem.g),
            conv.bias,
        )
        for name, conv in convs.items()
    }
    got = pyconv.compile(rewrite.made_anew(graph, chains))(x)
    np.testing.assert_allclose(got, model(x), atol=1e-4 * np.abs(model(x)).max())


@pytest.mark.parametrize("method", [*factorize.METHODS, "best"])
def test_the_new_network_runs_saves_and_loads(method, x, tmp_path):
    found = approximate(Net(), SHAPE, method=method, tolerance=0.5)
    assert found.layers and {layer.name for layer in found.layers} | set(found.left) == set(NAMES)
    model = found.compile()
    path = tmp_path / "new.pyconv"
    model.save(path)
    assert (pyconv.load(path)(x) == model(x)).all()
    told = {step["name"] for step in found.compile(without=["fuse_inverted_residual"]).describe()["steps"]}
    for layer in found.layers:
        assert layer.factors.error <= 0.5 and layer.macs[1] < layer.macs[0]
        assert {f"{layer.name}.{i}" for i in range(len(layer.factors.stages))} <= told


def test_counts_are_those_of_what_runs():
    found = approximate(Net(), SHAPE, method="spatial", tolerance=0.5)
    before, after = (pyconv.compile(net) for net in (found.original, found.network))
    for which, model in enumerate((before, after)):
        told = model.describe()
        steps, images = told["steps"], told["images"]
        assert found.macs[which] == images * sum(step["macs"] for step in steps)
        assert found.parameters[which] == sum(step["parameters"] for step in steps)
    assert found.as_dict()["macs"] == list(found.macs)


@pytest.mark.parametrize("method", ["spatial", "tucker2", "depthwise"])
@pytest.mark.parametrize("budget", [0.8, 0.5])
def test_a_budget_is_kept(method, budget):
    found = approximate(Net(), SHAPE, method=method, budget=budget)
    convs = rewrite.convolutions(found.graph)
    total = sum(conv.problem.macs for conv in convs)
    saved = sum(layer.macs[0] - layer.macs[1] for layer in found.layers)
    assert total - saved <= budget * total
    assert set(found.left.values()) <= {"the budget needs no less"}


def test_a_budget_takes_from_the_layer_that_loses_least():
    """One layer is of rank 2, the other of full rank: the first pays for both."""
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1))
    low = np.einsum("rchx,orxw->ochw", rng.normal(size=(2, 8, 3, 1)), rng.normal(size=(8, 2, 1, 3)))
    full = rng.normal(size=(8, 8, 3, 3))
    net.load_state_dict({**net.state_dict(), "0.weight": low.astype("f"), "1.weight": full.astype("f")})
    found = approximate(net, (1, 8, 9, 9), method="spatial", budget=0.6)
    assert [(layer.name, layer.factors.rank) for layer in found.layers] == [("0", (2,))]
    assert found.layers[0].factors.error < 1e-6


def test_time_can_be_saved_in_place_of_macs():
    found = approximate(Net(), SHAPE, method="spatial", tolerance=0.6, save="time")
    for layer in found.layers:
        spent = sum(approximating.cycles(line) for line in layer.stages)
        assert spent < approximating.cycles(layer.problem)


def test_layers_and_ranks_can_be_named():
    found = approximate(Net(), SHAPE, method="spatial", rank={"same": 3, "grouped": 2})
    assert [(layer.name, layer.factors.rank) for layer in found.layers] == [("same", (3,)), ("grouped", (2,))]
    assert found.left["wide"] == "no rank was named for it"
    found = approximate(Net(), SHAPE, method="tucker2", rank=(4, 3), layers=["same", "wide"])
    assert [layer.name for layer in found.layers] == ["same"]
    assert "the kernel is 1x1" in found.left["wide"]
    assert found.only([], "no").layers == [] and found.only([], "no").left["same"] == "no"


def test_fitting_to_data_lessens_the_error_of_the_outputs(x):
    data = np.random.default_rng(1).standard_normal((24, *SHAPE[1:])).astype(np.float32)
    for method in ("spatial", "tucker2", "depthwise"):
        plain = approximate(Net(), SHAPE, method=method, tolerance=0.6, data=data, fit=False)
        fitted = approximate(Net(), SHAPE, method=method, tolerance=0.6, data=data)
        assert [layer.name for layer in plain.layers] == [layer.name for layer in fitted.layers]
        for before, after in zip(plain.layers, fitted.layers):
            assert after.output_error <= before.output_error * 1.001
            assert after.factors.error >= before.factors.error * 0.999  # the SVD is nearest in weights
        wanted = refit.run(pyconv.compile(fitted.original), data)[0]
        missed = [np.linalg.norm(refit.run(found.compile(), data)[0] - wanted) for found in (plain, fitted)]
        assert missed[1] < missed[0]


def test_the_error_of_outputs_is_measured_as_it_says():
    net = nn.Sequential(nn.Conv2d(4, 6, 3, 2, padding=1))
    data = np.random.default_rng(2).standard_normal((5, 4, 9, 8)).astype(np.float32)
    found = approximate(net, (2, 4, 9, 8), method="spatial", rank=2, data=data)
    (layer,) = found.layers
    wanted, got = (refit.run(pyconv.compile(n), data)[0] for n in (found.original, found.network))
    bias = net.state_dict()["0.bias"][:, None, None]
    assert layer.output_error == pytest.approx(
        np.linalg.norm(got - wanted) / np.linalg.norm(wanted - bias), rel=1e-3
    )


def test_a_chain_that_can_be_exact_is_found_by_the_fit():
    """Data of rank one: two channels that are always alike. A layer of spatial rank 1 suffices for it."""
    rng = np.random.default_rng(3)
    one = rng.standard_normal((6, 1, 10, 10))
    data = np.concatenate([one, 2 * one], axis=1).astype(np.float32)
    net = nn.Sequential(nn.Conv2d(2, 3, (1, 3)))
    found = approximate(net, (1, 2, 10, 10), method="spatial", rank=1, data=data)
    (layer,) = found.layers
    # 1x1 to one channel, 1x3 to three: any layer on such data is of this kind, but for how it is held.
    assert layer.output_error < 0.01 < layer.factors.error


def test_gains_are_those_of_the_layers_that_changed():
    found = approximate(Net(), SHAPE, method="spatial", tolerance=0.5)
    measured = gains.gains(found, seconds=0.05)
    names = [name for gain in measured.layers for name in gain.names]
    assert sorted(names) == sorted(layer.name for layer in found.layers)
    same = measured.of("same")
    assert same.before.minimum > 0 and same.after.minimum > 0 and same.algorithms[0]
    assert measured.whole.before.minimum >= same.before.minimum
    kept = gains.faster(found, measured)
    assert {layer.name for layer in kept.layers} == {
        n for g in measured.layers if g.ratio > 1 + gains.NOISE for n in g.names
    }
    assert measured.of("fc") is None and set(measured.as_dict()) == {"whole", "layers", "conditions"}


def test_layers_that_a_step_fuses_are_taken_together():
    assert gains._groups([{"a"}, {"b", "c"}, set(), {"c", "d"}]) == [{"a"}, {"b", "c", "d"}]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "rank, tolerance, energy, budget: expected one of them"),
        ({"rank": 2, "budget": 0.5}, "rank, tolerance, energy, budget: expected one of them"),
        ({"method": "svd", "rank": 2}, "method: expected one of best, spatial, tucker2"),
        ({"budget": 0.0}, "budget: expected a share of the cost above 0, at most 1, got 0.0"),
        ({"budget": 1e-3}, "budget: expected 0.[0-9]+ or more for these layers and methods, got 0.001"),
        ({"energy": 2.0}, "energy: expected a share from 0 to 1, got 2.0"),
        ({"tolerance": -1.0}, "tolerance: expected 0 or more, got -1.0"),
        ({"rank": 2, "save": "joules"}, "save: expected one of macs, time, got 'joules'"),
        ({"rank": 2, "layers": ["none"]}, "layers: expected some of first, same, .*, got 'none'"),
        ({"rank": {"none": 2}}, "layers: expected some of first, same, .*, got 'none'"),
        ({"rank": 2, "data": np.zeros((4, 3, 5, 5), "f")}, r"data: expected shape \(N, 3, 12, 14\), got"),
        ({"rank": 2, "data": np.zeros((0, 3, 12, 14), "f")}, "data: expected shape"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        approximate(Net(), SHAPE, **{"method": "spatial", **arguments})


def test_runs_of_any_number_of_inputs(x):
    model = pyconv.compile(Net(), SHAPE)
    many = np.concatenate([x, x, x[:1]])
    got = refit.run(model, many)[0]
    assert got.shape == (5, 5)
    np.testing.assert_array_equal(got[4], model(x)[0])


def test_accuracy_counts():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3, 3, bias=False))
    model = pyconv.compile(net, (2, 3))
    net.load_state_dict({"1.weight": np.eye(3, dtype=np.float32)})
    model, other = pyconv.compile(net, (2, 3)), None
    net.load_state_dict({"1.weight": np.eye(3, dtype=np.float32)[[1, 0, 2]]})
    other = pyconv.compile(net, (2, 3))
    x = np.eye(3, dtype=np.float32)[[0, 1, 2, 2, 2]]
    found = accuracy.compared(model, other, x, np.array([0, 1, 2, 2, 0]))
    assert (found.pictures, found.before, found.after, found.agreed) == (5, 0.8, 0.4, 0.6)


def test_lenet_keeps_its_accuracy():
    digits, labels = mnist_test()
    x = pyconv.preprocess.mnist.normalized(digits[:2500][..., None])
    net = pyconv.zoo.lenet5(pretrained=True)
    found = approximate(net, (50, 1, 28, 28), method="spatial", tolerance=0.3, data=x[2000:])
    right = accuracy.compared(pyconv.compile(found.original), found.compile(), x[:2000], labels[:2000])
    assert right.before > 0.985 and right.after > right.before - 0.01
    assert found.macs[1] < 0.8 * found.macs[0]


@pytest.mark.slow
def test_resnet20_loses_less_when_it_is_fitted():
    pictures, labels = cifar10_test()
    x = pyconv.preprocess.cifar10.normalized(pictures[:1256])
    net = pyconv.zoo.create("resnet20", weights=shared("models", "resnet20-12fca82f.th"))
    after = []
    for fit in (False, True):
        found = approximate(net, (50, 3, 32, 32), method="depthwise", budget=0.5, data=x[1000:], fit=fit)
        right = accuracy.compared(pyconv.compile(found.original), found.compile(), x[:1000], labels[:1000])
        after.append(right.after)
    assert right.before > 0.9 and after[1] > 0.85 > after[0]


def test_pictures_are_read(tmp_path):
    images = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    np.savez(tmp_path / "a.npz", x=images, y=np.array([[3], [1]]))
    found = dataset.load(tmp_path / "a.npz")
    assert found.images.shape == (2, 4, 3, 1) and found.labels.tolist() == [3, 1]
    idx = tmp_path / "t10k-images-idx3-ubyte"
    idx.write_bytes(b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (2, 4, 3)) + images.tobytes())
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x02\x03\x01")
    for source in (idx, tmp_path):
        again = dataset.load(source)
        assert (again.images == found.images).all() and (again.labels == found.labels).all()
    assert len(dataset.load("digits").part(0, 7)) == 7


def test_pictures_that_are_none_are_refused(tmp_path):
    def refusal(source):
        with pytest.raises(ValueError) as caught:
            dataset.load(source)
        return str(caught.value)

    assert "data: expected a file, a folder or 'digits', got" in refusal(tmp_path / "missing")
    assert "data: expected t10k-images-idx3-ubyte.gz or one" in refusal(tmp_path)
    np.savez(tmp_path / "a.npz", z=np.zeros(3))
    assert "expected arrays x and y" in refusal(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=np.zeros((2, 3, 3)), y=np.zeros(2, int))
    assert "expected uint8 images (N, H, W, C), got float64" in refusal(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", x=np.zeros((2, 3, 3), np.uint8), y=np.zeros(3, int))
    assert "expected 2 integer labels" in refusal(tmp_path / "c.npz")
    (tmp_path / "images-idx3").write_bytes(b"\0\0\x08\x03")
    assert "with labels-idx1 beside it" in refusal(tmp_path / "images-idx3")
    (tmp_path / "labels-idx1").write_bytes(b"no")
    assert "expected an IDX file of bytes" in refusal(tmp_path / "images-idx3")
    (tmp_path / "images-idx3").write_bytes(b"\0\0\x08\x01\0\0\0\x09\x03\x01")
    assert "expected (9,) bytes" in refusal(tmp_path / "images-idx3")
    (tmp_path / "images-idx3.gz").write_bytes(b"no gzip")
    (tmp_path / "labels-idx1.gz").write_bytes(b"no gzip")
    assert "images-idx3.gz" in refusal(tmp_path / "images-idx3.gz")
