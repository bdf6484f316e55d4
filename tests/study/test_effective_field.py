"""The effective receptive field: gradients that are right, and fields with known answers."""

import numpy as np
import pytest
from click.testing import CliRunner

import pyconv
from pyconv import nn
from pyconv.commands import add_to
from pyconv.graph import GraphBuilder
from pyconv.nn import functional as F
from pyconv.study import rewrite
from pyconv.study.adjoint import input_gradients
from pyconv.study.commands import pyconv as group
from pyconv.study.effective_field import Box, effective_field, layers

add_to(group)


class Of(nn.Module):
    """A network of one function."""

    def __init__(self, function, *modules):
        super().__init__()
        self.function = function
        self.inside = nn.ModuleList(modules)

    def forward(self, x):
        return self.function(x, *self.inside)


def conv(ic, oc, *arguments, **options):
    nn.manual_seed(ic + oc)
    return nn.Conv2d(ic, oc, *arguments, **options)


def norm(channels):
    module = nn.BatchNorm2d(channels)
    rng = np.random.default_rng(0)
    state = {k: rng.uniform(0.5, 2, v.shape).astype(v.dtype) for k, v in module.state_dict().items()}
    module.load_state_dict(state)
    return module


def halves(x):
    a, b = x.chunk(2, 1)
    return F.cat([b * 2.0, a - b], 1)


CASES = {
    "conv": (lambda x, c: c(x), [conv(4, 6, 3, 2, padding=1)]),
    "grouped": (lambda x, c: c(x), [conv(4, 6, 3, dilation=2, groups=2)]),
    "uneven": (lambda x, c: c(x), [conv(4, 6, (3, 2), (2, 3), padding="same")]),
    "transposed": (lambda x, c: c(x), [nn.ConvTranspose2d(4, 3, 3, 2, padding=1, output_padding=1)]),
    "residual": (lambda x, c: c(F.relu(x)) + x, [conv(4, 4, 3, padding=1)]),
    "norm": (lambda x, n: n(F.relu(x)), [norm(4)]),
    "max": (lambda x: F.max_pool2d(x, 3, 2, padding=1), []),
    "ceil": (lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), []),
    "mean": (lambda x: F.avg_pool2d(x, 3, 2, padding=1), []),
    "mean inside": (lambda x: F.avg_pool2d(x, 3, 1, padding=1, count_include_pad=False), []),
    "gate": (lambda x, c: x * F.sigmoid(c(x.mean((2, 3), keepdims=True))), [conv(4, 4, 1)]),
    "silu": (lambda x: F.silu(x), []),
    "tanh": (lambda x: F.tanh(x), []),
    "relu6": (lambda x: F.relu6(x * 6.0), []),
    "hard": (lambda x, *m: m[1](m[0](x)), [nn.Hardswish(), nn.Hardsigmoid()]),
    "leaky": (lambda x, m: m(x), [nn.LeakyReLU(0.2)]),
    "lrn": (lambda x, m: m(x * 3.0), [nn.LocalResponseNorm(3, alpha=0.5)]),
    "halves": (halves, []),
    "shuffled": (lambda x: F.channel_shuffle(x, 2)[:, 1:, ::2], []),
    "padded": (lambda x: F.pad(x, (1, 2, 0, 3)), []),
}
SHAPE = (1, 4, 9, 10)
TERMS = 4 * 3 * 3  # that the longest sum here adds up


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_small_steps(case):
    """Central differences along random directions, at inputs further from each other, and from the kinks of
    activations, than the step. What a step's curvature costs shows by halving it."""
    function, modules = CASES[case]
    graph = rewrite.plain(Of(function, *modules), SHAPE)
    (target,) = graph.outputs
    made = tuple(graph.value(target)[2])
    rng = np.random.default_rng(5)
    x = rng.permutation(np.linspace(-1.05, 1.05, int(np.prod(SHAPE)))).reshape(SHAPE)
    directions = rng.normal(size=(3, *made[1:])).astype(np.float32)
    gradients = input_gradients(graph, target, directions, x.astype(np.float32)).astype(np.float64)
    model = pyconv.compile(rewrite.made_anew(graph), accuracy="exact")
    total = np.abs(directions).sum(axis=(1, 2, 3))
    for along in rng.choice([-1.0, 1.0], (4, *SHAPE)):
        told = (gradients * along).sum(axis=(1, 2, 3))
        moved = []
        for step in (2.0**-9, 2.0**-10):
            ends = [
                model((x + side * step * along).astype(np.float32)).astype(np.float64) for side in (1, -1)
            ]
            moved.append((directions * (ends[0] - ends[1])).sum(axis=(1, 2, 3)) / (2 * step))
        rounding = total * max(1.0, np.abs(ends).max()) * (TERMS + 2) * 2.0**-24 / step
        assert (np.abs(moved[1] - told) <= np.abs(moved[0] - moved[1]) + rounding).all()


def ones(net):
    """Every weight one, no bias."""
    net.load_state_dict(
        {k: (np.zeros if "bias" in k else np.ones)(v.shape, v.dtype) for k, v in net.state_dict().items()}
    )
    return net


def test_three_layers_of_ones_count_as_pascal_says():
    net = ones(nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(3))))
    found = effective_field(net, (1, 1, 15, 15), samples=1)
    assert found.theory == (7, 7) and found.reach == Box(4, 4, 7, 7)
    line = np.array([1, 3, 6, 7, 6, 3, 1])  # the coefficients of (1 + x + x^2)^3
    np.testing.assert_allclose(found.map[4:11, 4:11], np.outer(line, line) / 27**2, rtol=1e-6)
    assert found.map.sum() == pytest.approx(1) and not found.map[:4].any()
    variance = 3 * 2 / 3  # of three draws from (-1, 0, 1)
    assert found.sigma == pytest.approx((variance**0.5, variance**0.5))


def test_one_layer_sees_its_taps():
    net = ones(nn.Sequential(nn.Conv2d(2, 3, (3, 5), stride=2, padding=(1, 2), dilation=(2, 1))))
    found = effective_field(net, (1, 2, 20, 21))
    assert found.theory == (5, 5) and (found.reach.height, found.reach.width) == (5, 5)
    seen = found.map > 0
    assert seen.sum() == 3 * 5 and found.map[seen] == pytest.approx(1 / 15)
    rows = np.flatnonzero(seen.any(axis=1))
    assert (np.diff(rows) == 2).all() and found.area == 15


def test_the_reach_is_cut_by_the_picture():
    net = nn.Sequential(*(nn.Conv2d(1, 1, 5, padding=2) for _ in range(4)))
    found = effective_field(net, (1, 1, 9, 11))
    assert found.theory == (17, 17) and found.reach == Box(0, 0, 9, 11)
    assert "9x11 of which lie in the picture" in found.sentence and found.share <= 1


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "squeezenet1_1", "mobilenet_v2", "shufflenet_v2"])
def test_what_can_matter_is_the_theoretical_field(name):
    """Layers of the zoo whose field lies inside the picture."""
    entry = pyconv.zoo.entry(name)
    shape = (1, entry.input_shape[1], 96, 96) if name != "lenet5" else entry.input_shape
    nn.manual_seed(0)
    net = pyconv.zoo.create(name)
    graph = rewrite.plain(net, shape)
    checked = 0
    for layer in list(layers(graph))[1:12:5]:
        found = effective_field(net, shape, layer=layer, samples=1, probes=2)
        if max(found.theory) < min(shape[2:]) / 2:
            assert (found.reach.height, found.reach.width) == found.theory, layer
            checked += 1
        assert found.box.height <= found.reach.height + 2
    assert checked


def test_gradients_lie_within_the_reach():
    nn.manual_seed(0)
    net = pyconv.zoo.resnet20()
    found = effective_field(net, (1, 3, 64, 64), layer="layer2.2.conv2")
    r = found.reach
    inside = np.zeros_like(found.map, bool)
    inside[r.top : r.top + r.height, r.left : r.left + r.width] = True
    assert not found.map[~inside].any() and found.map[inside].all()
    assert found.box.height < r.height and "95 % of what moves it" in found.sentence


def test_probes_estimate_the_sum_over_channels():
    nn.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(2, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1))
    exact = effective_field(net, (1, 2, 9, 9), probes=64)
    rough = effective_field(net, (1, 2, 9, 9), probes=32)
    np.testing.assert_allclose(rough.map, exact.map, atol=0.25 * exact.map.max())


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"layer": "none"}, "layer: expected one of 0, 1, got 'none'"),
        ({"samples": 0}, "samples: expected 1 or more, got 0"),
        ({"probes": 0}, "probes: expected 1 or more, got 0"),
        (
            {"pictures": np.zeros((2, 1, 9, 9), "f")},
            r"pictures: expected shape \(N, 3, 9, 9\), got \(2, 1, 9, 9\)",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 2))
    with pytest.raises(ValueError, match=message):
        effective_field(net, (1, 3, 9, 9), **arguments)


def test_networks_that_have_none_are_refused():
    with pytest.raises(ValueError, match=r"expected one input of shape \(1, C, H, W\), got \(2, 3, 9, 9\)"):
        effective_field(nn.Conv2d(3, 4, 3), (2, 3, 9, 9))
    with pytest.raises(ValueError, match="network: expected a layer whose output has rows and columns"):
        effective_field(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), (1, 3, 2, 2))
    with pytest.raises(ValueError, match="network: no gradient is known of prelu"):
        effective_field(Of(lambda x: F.prelu(x, np.ones(3, "f"))), (1, 3, 5, 5))
    with pytest.raises(ValueError, match="no pixel moves the middle"):
        effective_field(Of(lambda x: F.relu(x - 100.0)), (1, 3, 5, 5))


def test_values_of_no_use_are_left_out():
    builder = GraphBuilder()
    x = builder.input("x", (1, 2, 5, 5))
    y = builder.node("relu", [x])
    builder.node("exp", [y])
    builder.outputs([y])
    graph = rewrite.plain(builder)
    (target,) = graph.outputs
    g = input_gradients(graph, target, np.ones((1, 2, 5, 5), "f"), np.ones((1, 2, 5, 5), "f"))
    assert (g == 1).all()


def invoke(*arguments, status=0):
    result = CliRunner().invoke(group, ["study", "field", *(str(a) for a in arguments)])
    assert result.exit_code == status, result.output
    return result.stdout if status == 0 else result.stderr


def test_on_the_command_line(tmp_path):
    import json

    picture = tmp_path / "field.png"
    text = invoke("lenet5", "--layer", "conv2", "--plot", picture)
    assert "conv2" in text and "14x14" in text and picture.read_bytes()[:4] == b"\x89PNG"
    found = json.loads(invoke("lenet5", "--json", "--data", "digits", "--samples", 3))
    assert [f["layer"] for f in found["fields"]][:2] == ["conv1", "conv2"] and found["model"] == "lenet5"
    assert "layer: expected one of conv1" in invoke("lenet5", "--layer", "none", status=1)
    assert "did you mean lenet5" in invoke("lenet6", status=1)
