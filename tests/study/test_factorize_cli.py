"""`pyconv study factorize`."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import pyconv
from pyconv import nn
from pyconv.commands import add_to
from pyconv.formats import safetensors
from pyconv.study import approximate_words, machine
from pyconv.study.approximate import approximate
from pyconv.study.commands import pyconv as group
from pyconv.study.gains import Gain, Gains
from pyconv.study.timing import Timing

add_to(group)


@pytest.fixture
def run(monkeypatch, roofline, tmp_path):
    monkeypatch.setattr(machine, "roofline", lambda *_, **__: roofline)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def invoke(*arguments, status=0):
        result = CliRunner().invoke(group, ["study", "factorize", *(str(a) for a in arguments)])
        assert result.exit_code == status, result.output
        return result.stdout if status == 0 else result.stderr

    return invoke


LENET = ("lenet5", "--method", "spatial", "--seconds", 0.05)


def test_trained_weights_are_taken_apart(run, tmp_path):
    made, picture = tmp_path / "new.pyconv", tmp_path / "new.png"
    text = run(*LENET, "--tolerance", 0.3, "--data", "digits", "--output", made, "--plot", picture)
    for part in (
        "conv1",
        "spatial",
        "156 to 111",
        "fewer MACs",
        "of outputs",
        "of 15 pictures",
        "new.pyconv",
    ):
        assert part in text
    assert "none of the 2,022 kernels is a column times a row" in text
    assert safetensors.read_header(made).metadata["pyconv.labels"].startswith("0\n1")
    assert picture.read_bytes()[:4] == b"\x89PNG"
    digits = pyconv.zoo.sample_digits()
    found = pyconv.load(made)(pyconv.preprocess.mnist.normalized(digits[0][:1, ..., None]))
    assert found.argmax() == digits[1][0]


def test_it_speaks_json(run):
    found = json.loads(run(*LENET, "--rank", 3, "--data", "digits", "--json"))
    assert found["model"] == "lenet5" and len(found["sentences"]) == len(found["layers"])
    layer = found["layers"][0]
    assert layer["name"] == "conv1" and layer["rank"] == [3] and layer["macs"] == [117600, 82320]
    assert layer["stages"] == ["ic1oc3_ih28kh5kw1ph2pw0", "ic3oc6_ih28kh1kw5ph0pw2"]
    assert found["accuracy"]["pictures"] == 15 and found["gains"]["whole"]["time_ratio"] > 0
    assert found["structure"] == {"kernels": 2022, "rank_one": 0}


def test_without_seconds_nothing_is_measured(run):
    found = json.loads(run("lenet5", "--method", "tucker2", "--rank", "4x3", "--seconds", 0, "--json"))
    assert found["gains"] is None and found["accuracy"] is None
    text = run("lenet5", "--method", "spatial", "--budget", 0.5, "--seconds", 0)
    assert "µs" not in text and "lenet5 with" in text


def test_only_what_is_faster_is_kept(run):
    found = json.loads(run(*LENET, "--tolerance", 0.4, "--only-faster", "--json"))
    kept = {layer["name"] for layer in found["layers"]}
    dropped = {n for n, why in found["left"].items() if why == "its chain was measured to be no faster"}
    assert kept | dropped == {"conv1", "conv2", "conv3"} and not kept & dropped


def test_a_model_file_of_any_network(run, tmp_path):
    path = tmp_path / "net.pyconv"
    nn.manual_seed(0)
    pyconv.compile(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()), (1, 8, 9, 9)).save(path)
    assert "1 of its layers" in run(path, "--method", "spatial", "--rank", 2, "--seconds", 0.02)
    assert "stays as it is" in run(path, "--method", "spatial", "--tolerance", 0, "--seconds", 0.02)


def test_a_network_that_takes_pictures(run, tmp_path):
    path, made = tmp_path / "pictures.pyconv", tmp_path / "new.pyconv"
    net = pyconv.zoo.lenet5(pretrained=True)
    pyconv.compile(net, (1, 1, 28, 28), image_input="mnist").save(path)
    options = ("--method", "spatial", "--tolerance", 0.3, "--data", "digits", "--seconds", 0)
    found = json.loads(run(path, *options, "--json", "--output", made))
    assert found["accuracy"]["after"] == 1.0 and found["layers"][0]["output_error"] < 0.3
    assert pyconv.load(made).input_shapes == {"input": (1, 28, 28, 1)}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("lenet6", "--method", "cp", "--rank", 2), "did you mean lenet5?"),
        (("lenet5", "--method", "cp"), "rank, tolerance, energy, budget: expected one of them"),
        (("lenet5", "--method", "cp", "--rank", 2, "--data", "none"), "data: expected a file, a folder or"),
        (("lenet5", "--method", "cp", "--rank", 2, "--layer", "x"), "layers: expected some of conv1, conv2"),
        (("resnet20", "--method", "cp", "--rank", 2, "--data", "digits"), "recipe|pictures of|expected"),
    ],
)
def test_refusals_are_one_sentence(run, arguments, message):
    import re

    text = run(*arguments, status=1)
    assert re.search(message, text) and text.rstrip().count("\n") == 0


@pytest.mark.parametrize("rank", ["0", "a", "2x3x4"])
def test_ranks_are_numbers(run, rank):
    assert "expected a rank such as 8" in run("lenet5", "--method", "cp", "--rank", rank, status=2)


def test_options_of_the_study_do_not_stand_before_a_command():
    result = CliRunner().invoke(group, ["study", "--channels", "3", "factorize", "lenet5"])
    assert result.exit_code == 2 and "--channels stands before factorize" in result.stderr


def invented(ratio, executed):
    """A layer that became a chain, and took `ratio` times as long before."""
    nn.manual_seed(1)
    found = approximate(nn.Conv2d(16, 16, 3, padding=1), (1, 16, 16, 16), method="spatial", rank=8)
    name = found.layers[0].name
    gain = Gain(
        (name,), Timing("before", (ratio,)), Timing("after", (1.0,)), ("winograd_f4", "direct + direct"), executed
    )  # fmt: skip
    return found, gain


def test_sentences_say_what_became_of_the_saving():
    found, gain = invented(0.5, (147_456, 196_608))
    layer = found.layers[0]
    text = approximate_words.layer_sentence(layer, gain)
    assert "needs 3.0x fewer MACs, yet it is 2.0x slower" in text
    assert "by winograd_f4, which executes 147 k MACs where the chain executes 197 k" in text
    found, gain = invented(1.5, (589_824, 196_608))
    text = approximate_words.layer_sentence(layer, gain)
    assert text.endswith("and is 1.5x faster, 50 % of the saving: 2 steps write their outputs where one did.")
    _, gain = invented(2.9, (589_824, 196_608))
    assert approximate_words.layer_sentence(layer, gain).endswith("and is 2.9x faster.")
    assert approximate_words.layer_sentence(layer, None).endswith("3.0x fewer MACs.")
    whole = Gains(gain, [gain])
    text = approximate_words.sentence("net", found, whole)
    assert text.startswith(
        "net with 1 of its layers as chains has 3.0x fewer MACs (590 k to 197 k) and is 2.9x"
    )
    noisy = Gain(("net",), Timing("before", (1.0, 2.0, 3.0)), Timing("after", (1.0,)))
    assert "repeat it when the machine is idle" in approximate_words.sentence("net", found, Gains(noisy, []))
    left = found.only([], "no")
    assert approximate_words.sentence("net", left) == "net stays as it is: no layer is cheaper as a chain."
    assert np.isfinite(whole.whole.ratio)
