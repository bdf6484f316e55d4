"""The lab: kinds of convolutions in place of a layer, over a network, and two networks side by side."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import pyconv
from pyconv import Conv2dProblem, nn
from pyconv.commands import add_to
from pyconv.study import lab, lab_body, lab_network, lab_words, machine, network_pair
from pyconv.study.commands import pyconv as group
from pyconv.study.lab import Kind, Knobs, Lab, Row
from pyconv.study.timing import Timing

add_to(group)


@pytest.fixture(autouse=True)
def known_roofline(monkeypatch, roofline, tmp_path):
    monkeypatch.setattr(machine, "roofline", lambda *_, **__: roofline)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def invoke(*arguments, status=0):
    result = CliRunner().invoke(group, ["study", "factorize", *(str(a) for a in arguments)])
    assert result.exit_code == status, result.output
    return result.stdout if status == 0 else result.stderr


def counts(kind):
    """Weights, and MACs for each output of a layer that keeps its size."""
    return sum(shape.parameters for shape in kind.shapes)


def test_weights_are_those_of_the_formulas():
    c, h, k, r = 48, 32, 5, 7
    found, refused = lab.kinds(
        Conv2dProblem(f"ic{c}oc{h}_ih20kh{k}ph2"), Knobs(groups=16, expansion=3, reduction=8, rank=r)
    )
    m, t = h // 8, 3
    wanted = {
        lab.NORMAL: c * k * k * h,
        lab.GROUPED: c * k * k * h // 16,
        lab.DEPTHWISE: c * k * k,
        lab.POINTWISE: c * h,
        lab.SPATIAL: c * (k + k),
        lab.PASSES: r * k * (c + h),
        lab.SEPARABLE: c * k * k + c * h,
        lab.BOTTLENECK: c * m + m * k * k * m + m * h,
        lab.INVERTED: t * c * (c + k * k + h),
        lab.SQUEEZE: c * k * k * h,  # and two pointwise layers, which are no stages
    }
    assert {kind.name: counts(kind) for kind in found} == wanted and refused == {}


@pytest.mark.parametrize(
    "line", ["ic8oc8_ih9kh3ph1", "ic6oc10_ih9iw11kh3sh2ph1", "mb2ic4oc4_ih8kh3", "ic4oc8_ih9kh1kw5pw2"]
)
def test_kinds_run_and_count_what_runs(line):
    p = Conv2dProblem(line)
    for kind in lab.kinds(p)[0]:
        model = lab.built(kind)
        (shape,) = model.output_shapes.values()
        assert np.isfinite(model(np.ones(next(iter(model.input_shapes.values())), "f"))).all()
        assert shape[1] == (p.ic if kind.name in (lab.DEPTHWISE, lab.SPATIAL) else p.oc)
        if kind.name != lab.POINTWISE:
            assert shape[2:] == (p.oh, p.ow)
        told = model.describe()
        macs = told["images"] * sum(step["macs"] for step in told["steps"])
        lines = [Conv2dProblem(s["problem"]) for s in told["steps"] if s["problem"]]
        if kind.name == lab.NORMAL:
            assert macs == p.macs and len(lines) == 1


def test_a_residual_is_added_where_it_fits():
    def residual(line):
        return {kind.name: kind.residual for kind in lab.kinds(Conv2dProblem(line))[0]}[lab.INVERTED]

    assert residual("ic8oc8_ih9kh3ph1")
    assert not residual("ic8oc16_ih9kh3ph1")
    assert not residual("ic8oc8_ih9kh3sh2ph1")


def test_a_layer_is_measured_beside_all_kinds():
    found = lab.run("ic16oc16_ih12kh3ph1", seconds=0.02, tune=False)
    assert [row.name for row in found.rows[:2]] == [lab.NORMAL, lab.PLAIN] and len(found.rows) == 11
    normal = found[lab.NORMAL]
    assert normal.macs == 12 * 12 * 16 * 16 * 9 and found.mac_ratio(found[lab.POINTWISE]) == 9
    assert found[lab.PLAIN].executed_macs == normal.macs >= normal.executed_macs
    gate = found[lab.SQUEEZE]
    assert gate.parameters == normal.parameters + 2 * 16 + 16 + 1  # and the biases
    for row in found.rows:
        assert row.best_s > 0 and row.predicted_s > 0 and len(row.layers) == len(row.seconds)
        assert row.held_bytes >= 4 * row.parameters or row.parameters
        assert lab_words.sentence(found, row).endswith(".")
    told = found.as_dict()
    assert json.loads(json.dumps(told))["rows"][2]["name"] == lab.GROUPED


def test_a_batch_counts_all_of_its_images():
    one = lab.run("ic8oc8_ih9kh3ph1", names=[], seconds=0.01, tune=False)
    four = lab.run("mb4ic8oc8_ih9kh3ph1", names=[], seconds=0.01, tune=False)
    assert four[lab.NORMAL].macs == 4 * one[lab.NORMAL].macs
    assert [row.name for row in four.rows] == [lab.NORMAL, lab.PLAIN]


@pytest.mark.parametrize(
    "line, knobs, message",
    [
        ("g2ic4oc4_ih8kh3", None, "problem: expected a layer without groups, got g2ic4oc4_ih8kh3"),
        ("ic4oc4_ih8kh1", None, "problem: expected a kernel of several taps"),
        ("ic4oc6_ih8kh3", Knobs(groups=4), "groups: expected a divisor of 4 and 6, got 4"),
        ("ic4oc6_ih8kh3", Knobs(rank=99), "rank: expected 1 to 12 for ic4oc6_ih8kh3, got 99"),
    ],
)
def test_layers_that_have_no_kinds_are_refused(line, knobs, message):
    with pytest.raises(ValueError, match=message):
        lab.kinds(Conv2dProblem(line), knobs)


def step(name, problem, macs, algorithm, limit="compute"):
    from types import SimpleNamespace

    return SimpleNamespace(
        name=name, problem=problem, op="conv", macs=macs, algorithm=algorithm, limit=limit, intensity=0.5
    )


def invented(normal_s, plain_s, separable_s, executed, shares=(0.1, 0.9)):
    """A lab whose figures are known: 8 times fewer MACs, of which the depthwise step has a tenth."""
    kind = lambda name: Kind(name, "", (), Conv2dProblem("ic8oc8_ih8kh3ph1"))  # noqa: E731

    def row(name, macs, done, seconds, layers, spent):
        return Row(kind(name), 1, macs, done, 1, 1, 1.0, Timing(name, (seconds,)), layers, spent)

    whole = step("a", "ic8oc8_ih8kh3ph1", 800, "winograd_f4" if executed < 800 else "direct")
    plain = step("a", "ic8oc8_ih8kh3ph1", 800, "direct")
    two = [
        step("b", "g8ic8oc8_ih8kh3ph1", 10, "depthwise", "L2"),
        step("c", "ic8oc8_ih8kh1", 90, "pointwise"),
    ]
    rows = [
        row(lab.NORMAL, 800, executed, normal_s, [whole], [normal_s]),
        row(lab.PLAIN, 800, 800, plain_s, [plain], [plain_s]),
        row(lab.SEPARABLE, 100, 100, separable_s, two, [share * separable_s for share in shares]),
    ]
    return Lab("ic8oc8_ih8kh3ph1", rows, {}, None)


def test_sentences_follow_from_the_figures():
    found = invented(4.0, 16.0, 2.0, 200, (0.4, 0.6))
    assert lab_words.sentence(found, found[lab.SEPARABLE]) == (
        "depthwise-separable: 8.0x fewer MACs, 2.0x faster than the layer and 8.0x faster than its plain sum: "
        "25 % of the saving is time, because the layer saves too (winograd_f4 executes 200 of its 800 MACs) and "
        "its depthwise step, 10 % of the MACs, takes 40 % of the time, bound by the L2 cache."
    )
    assert lab_words.sentence(found, found[lab.NORMAL]) == (
        "the layer itself: winograd_f4, which executes 200 of its 800 MACs, 4 s."
    )
    assert lab_words.sentence(found, found[lab.PLAIN]).endswith("4.0x slower than the best.")
    found = invented(16.0, 16.0, 2.0, 800)
    assert lab_words.sentence(found, found[lab.SEPARABLE]).endswith("plain sum: all of the saving is time.")
    found = invented(2.0, 16.0, 4.0, 200)
    assert "none of the saving is time, because the layer saves too" in lab_words.sentence(
        found, found[lab.SEPARABLE]
    )


class Tiny(nn.Module):
    """Two layers alike, one pointwise, one depthwise."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(8, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 8, 3, padding=1)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.wide = nn.Conv2d(8, 8, 1)

    def forward(self, x):
        return self.wide(self.deep(self.b(self.a(x).relu())))


def test_a_network_is_measured_layer_by_layer():
    found = lab_network.run(pyconv.compile(Tiny(), (1, 8, 10, 10)), seconds=0.02, tune=False)
    assert list(found.layers.values()) == [["a", "b"]]
    assert found.left == {"deep": "a layer of groups", "wide": "a pointwise layer"}
    whole = found.whole(lab.GROUPED)
    assert whole.macs == (2 * 100 * 8 * 8 * 9, 2 * 100 * 2 * 8 * 9) and whole.mac_ratio == 4
    assert found.kinds == list(lab.ALIKE) and "; depthwise-separable, " in found.sentence
    assert json.loads(json.dumps(found.as_dict()))["layers"][0]["layers"] == ["a", "b"]


def test_a_network_without_dense_layers():
    model = pyconv.compile(nn.Conv2d(8, 8, 1), (1, 8, 10, 10))
    assert "there is nothing to take apart" in lab_network.run(model, seconds=0.01).sentence


def test_mobilenet_beside_full_convolutions():
    """Narrower and smaller than published, and with as many layers."""
    options = ("--width", 0.25, "--input-shape", "1x3x32x32", "--seconds", 0.05)
    found = json.loads(invoke("mobilenet_v1", "--against", "mobilenet_v1_full", *options, "--json"))
    first, second = found["networks"]
    assert [len(n["layers"]) for n in (first, second)] == [1 + 2 * 13 + 2, 1 + 13 + 2]
    assert all(layer["timing"]["min_s"] > 0 for layer in first["layers"] + second["layers"])
    names = [part["name"] for part in found["parts"]]
    assert [n for n in names if n.startswith("features.")] == [f"features.{i}" for i in range(14)]
    assert found["mac_ratio"] > 4 and "fewer MACs" in found["sentence"]
    text = invoke("mobilenet_v1", "--against", "mobilenet_v1_full", *options)
    assert "conv dw 3x3 / s2" in text and "as planned" in text


def test_parts_name_their_layers():
    assert lab_body._keys("features.3") == {"features.3"}
    assert lab_body._keys("features.2 to 4") == {"features.2", "features.3", "features.4"}
    assert lab_body._keys("stem to 4") == {"stem"}


def test_a_layer_on_the_command_line(tmp_path):
    picture = tmp_path / "layer.png"
    text = invoke("ic8oc8_ih9kh3ph1", "--seconds", 0.02, "--no-tune", "--plot", picture)
    for part in (
        "C = 8 channels to H = 8 filters",
        "C*K*K*H",
        "C*(K+K)",
        "inverted residual",
        "than plain sum",
    ):
        assert part in text
    assert picture.read_bytes()[:4] == b"\x89PNG"
    told = json.loads(invoke("ic8oc8_ih9kh3ph1", "--seconds", 0.02, "--json", "--groups", 8, "--rank", 2))
    rows = {row["name"]: row for row in told["rows"]}
    assert rows["grouped"]["mac_ratio"] == 8 and rows["two passes"]["parameters"] == 2 * 3 * 16


def test_a_network_on_the_command_line(tmp_path):
    path, picture = tmp_path / "tiny.pyconv", tmp_path / "net.png"
    pyconv.compile(Tiny(), (1, 8, 10, 10)).save(path)
    text = invoke(path, "--seconds", 0.02, "--no-tune", "--plot", picture)
    assert "a and 1 more" in text and "not taken apart: 1 (a pointwise layer)" in text
    assert picture.exists()


def test_without_a_subject_both_pages_are_measured(monkeypatch, tmp_path):
    monkeypatch.setattr("pyconv.commands.lab.PAGE", "ic8oc8_ih9kh3ph1")
    options = ("--width", 0.25, "--input-shape", "1x3x32x32", "--seconds", 0.02, "--no-tune")
    found = json.loads(invoke(*options, "--json", "--plot", tmp_path / "body.png"))
    assert set(found) == {"lectures", "body"} and (tmp_path / "body.png").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("ic8oc8_ih9",), "problem: expected a line like"),
        (("g2ic8oc8_ih9kh3",), "problem: expected a layer without groups"),
        (("nonsense",), "no such file, and no network of the zoo"),
        (("ic8oc8_ih9kh3", "--groups", 3), "groups: expected a divisor of 8 and 8, got 3"),
        (("ic8oc8_ih9kh3", "--rank", "2x3"), "--rank: expected one number for two passes, got 2x3"),
        (("ic8oc8_ih9kh3", "--rank", 100), "rank: expected 1 to 24"),
        (("lenet5", "--tolerance", 0.1), "--tolerance: expected --method too"),
        (("lenet5", "--data", "digits"), "--data: expected --method too"),
        (("--method", "cp", "--rank", 2), "SUBJECT: expected a network for --method"),
        (("lenet5", "--against", "lenet6"), "did you mean lenet5?"),
    ],
)
def test_refusals_are_one_sentence(arguments, message):
    text = invoke(*arguments, status=1)
    lines = [line for line in text.rstrip().split("\n") if line.startswith("Error: ")]
    assert len(lines) == 1 and message in lines[0]


def test_a_body_has_no_roofline_to_hold_its_depthwise_layers_against():
    """They take more of the time than of the MACs here, which the sentence then says, and no more."""
    layers = [
        {"algorithm": "depthwise", "macs": 10, "executed_macs": 10, "timing": None, "predicted_s": 1.0},
        {"algorithm": "pointwise", "macs": 90, "executed_macs": 90, "timing": None, "predicted_s": 1.0},
    ]
    said = network_pair._depthwise({"name": "small", "layers": layers})
    assert said.endswith("take 50 % of the time where they run by themselves")
