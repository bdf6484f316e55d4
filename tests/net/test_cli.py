"""The commands on networks."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("rich", reason="the study extra is missing")

from click.testing import CliRunner  # noqa: E402

import pyconv  # noqa: E402
from pyconv import nn  # noqa: E402
from pyconv.commands import add_to, digits, source  # noqa: E402
from pyconv.formats import safetensors  # noqa: E402
from pyconv.study.commands import pyconv as group  # noqa: E402
from support.data import shared  # noqa: E402

add_to(group)


def run(*arguments, status=0):
    result = CliRunner().invoke(group, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return result.stdout if status == 0 else result.stderr


def refusal(*arguments, status=1):
    """The one line of an error."""
    text = run(*arguments, status=status).removeprefix("Error: ")
    assert text.count("\n") == 1, text
    return text.strip()


@pytest.fixture
def picture(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="the images extra is missing")
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def classifier(tmp_path):
    """A network of five classes, and its model file."""
    nn.manual_seed(4)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    )
    path = tmp_path / "net.pyconv"
    pyconv.compile(net, (1, 3, 32, 32)).save(path)
    return net, path


def test_run_without_arguments_reads_thirty_digits():
    text = run("run")
    assert "30 of 30 right" in text and "us a digit" in text
    found = json.loads(run("run", "--json", "--repeat", 2))
    assert found["right"] == 30 and len(found["digits"]) == 30 and found["microseconds_per_digit"] > 0
    assert found["digits"][0] == pytest.approx({"digit": 0, "prediction": 0, "probability": 1.0}, abs=0.01)


def test_run_states_the_softmax_of_the_outputs(classifier, picture):
    net, path = classifier
    found = json.loads(run("run", path, picture, picture, "--json", "--recipe", "cifar10", "--top", 5))
    assert found["recipe_guessed"] is False and len(found["pictures"]) == 2
    first, second = found["pictures"]
    assert first["top"] == second["top"] and first["picture"] == str(picture)
    wanted = pyconv.softmax(net(pyconv.preprocess.cifar10(picture)))[0]
    for row in first["top"]:
        assert row["probability"] == pytest.approx(wanted[row["class"]], rel=1e-5)
        assert row["label"] == f"class {row['class']}"
    assert [r["probability"] for r in first["top"]] == sorted(
        (r["probability"] for r in first["top"]), reverse=True
    )


def test_run_prints_labels_and_guesses_the_recipe(classifier, picture, tmp_path):
    _, path = classifier
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\ndog\nelk\n")
    text = run("run", path, picture, "--labels", tmp_path / "names.txt", "--top", 2, "--repeat", 3)
    assert sum(name in text for name in ("ant", "bee", "cat", "dog", "elk")) == 2
    assert "median of 3 runs" in text and "the recipe is a guess" in text
    (tmp_path / "net.labels.txt").write_text("a1\nb1\nc1\nd1\ne1\n")
    assert "b1" in run("run", path, picture)
    (tmp_path / "net.labels.txt").write_text("of another network\n")
    assert "class 1" in run("run", path, picture)


def test_a_network_that_ends_in_a_softmax_says_its_probabilities_itself(picture, tmp_path):
    nn.manual_seed(1)
    start = (nn.Conv2d(3, 4, 32), nn.Flatten())
    tops = []
    for end in ((), (nn.Softmax(1),), (nn.LogSoftmax(1),)):
        pyconv.compile(nn.Sequential(*start, *end), (1, 3, 32, 32)).save(tmp_path / "net.pyconv")
        found = json.loads(run("run", tmp_path / "net.pyconv", picture, "--json"))
        tops.append([row["probability"] for row in found["pictures"][0]["top"]])
    assert tops[0] == pytest.approx(tops[1], rel=1e-5) and tops[0] == pytest.approx(tops[2], rel=1e-5)


def test_convert_keeps_recipe_and_labels(classifier, picture, tmp_path):
    _, path = classifier
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\ndog\nelk\n")
    made = tmp_path / "made.pyconv"
    options = ("--recipe", "cifar10", "--labels", tmp_path / "names.txt")
    assert "made.pyconv: " in run("convert", path, made, *options)
    metadata = safetensors.read_header(made).metadata
    assert metadata["pyconv.labels"].split("\n")[1] == "bee"
    text = run("run", made, picture, "--top", 5)
    assert "elk" in text and "guess" not in text
    before = json.loads(run("run", path, picture, "--json"))["pictures"][0]["top"]
    after = json.loads(run("run", made, picture, "--json"))["pictures"][0]["top"]
    assert [r["probability"] for r in before] == [r["probability"] for r in after]


def test_convert_to_a_network_that_takes_pictures(picture, tmp_path):
    made, plain = tmp_path / "made.pyconv", tmp_path / "plain.pyconv"
    net = pyconv.zoo.resnet20()
    weights = tmp_path / "weights.safetensors"
    safetensors.save(weights, net.state_dict())
    for path, more in ((plain, ()), (made, ("--pictures",))):
        run("convert", "resnet20", path, "--weights", weights, *more)
    assert pyconv.load(made).input_shapes == {"input": (1, 32, 32, 3)}
    tops = [json.loads(run("run", path, picture, "--json"))["pictures"][0]["top"] for path in (plain, made)]
    assert [r["class"] for r in tops[0]] == [r["class"] for r in tops[1]]
    assert tops[0][0]["probability"] == pytest.approx(tops[1][0]["probability"], rel=1e-4)


def test_run_a_network_of_the_zoo_with_weights(picture, tmp_path):
    weights = tmp_path / "w.safetensors"
    safetensors.save(weights, pyconv.zoo.mobilenet_v1(width=0.25, num_classes=7).state_dict())
    options = ("--weights", weights, "--width", 0.25, "--num-classes", 7, "--input-shape", "1x3x32x32")
    found = json.loads(run("run", "mobilenet_v1", picture, *options, "--json"))
    assert found["recipe"]["crop"] == 32 and len(found["pictures"][0]["top"]) == 5


def test_explain():
    text = run("explain", "lenet5")
    for part in (
        "conv1",
        "28x28",
        "61.7 k parameters, 417 k MACs",
        "Fusions",
        "Refused",
        "taken only where",
        "14x14",
    ):
        assert part in text
    assert "GFLOP/s" not in text
    assert "GFLOP/s" in run("explain", "lenet5", "--profile", "--accuracy", "exact")


def test_explain_a_network_without_a_recipe():
    assert "conv_transpose" in run("explain", "unet", "--input-shape", "1x1x188x188")


def test_explain_as_json():
    found = json.loads(run("explain", "lenet5", "--json", "--threads", 2, "--input-shape", "3x1x28x28"))
    assert found["model"] == "lenet5" and found["options"]["threads"] == 2
    assert found["outputs"] == [{"name": "output", "dtype": "float32", "shape": [3, 10]}]
    assert found["totals"]["macs"] == 3 * 416_520


def test_explain_keeps_what_a_model_file_was_compiled_for(tmp_path):
    path = tmp_path / "net.pyconv"
    pyconv.compile(nn.Conv2d(3, 4, 3), (1, 3, 8, 8), accuracy="exact", threads=2).save(path)
    assert json.loads(run("explain", path, "--json"))["options"]["accuracy"] == "exact"
    found = json.loads(run("explain", path, "--json", "--accuracy", "fast"))["options"]
    assert (found["accuracy"], found["threads"]) == ("fast", 2)


def test_zoo():
    text = run("zoo")
    assert "mobilenet_v1" in text and "569 M" in text and "arXiv:1704.04861" in text
    rows = json.loads(run("zoo", "--json"))
    assert [row["name"] for row in rows] == pyconv.zoo.names()
    assert {"name": "lenet5", "parameters": 61_706, "macs": 416_520}.items() <= rows[0].items()


def test_refusals_are_one_sentence(classifier, picture, tmp_path):
    _, path = classifier
    assert refusal("run", "mobilnet_v1", picture) == (
        "mobilnet_v1: no such file, and no network of the zoo: did you mean mobilenet_v1?"
    )
    assert "expected --weights FILE" in refusal("run", "resnet18", picture)
    assert refusal("run", path) == "IMAGES: expected one picture or more"
    assert "--width: is for networks of the zoo" in refusal("explain", path, "--width", 1)
    assert refusal("explain", "resnet18", "--width", 2) == "--width: resnet18 has no such option"
    assert "expected one of imagenet" in refusal("run", path, picture, "--recipe", "none")
    assert "expected one of 1 channel" in refusal("run", "lenet5", picture, "--recipe", "imagenet")
    pyconv.compile(nn.Conv2d(3, 4, 3), (1, 3, 32, 32)).save(tmp_path / "conv.pyconv")
    assert "expected a classifier" in refusal("run", tmp_path / "conv.pyconv", picture)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert "bad.png" in refusal("run", path, tmp_path / "bad.png")
    (tmp_path / "bad.pyconv").write_bytes(b"no network at all")
    assert "bad.pyconv" in refusal("explain", tmp_path / "bad.pyconv")
    assert "no such file" in refusal("explain", tmp_path / "missing.onnx")
    assert "made for" in refusal("explain", path, "--input-shape", "1x3x64x64")
    assert "Invalid value" in run("explain", "lenet5", "--input-shape", "axb", status=2)
    assert "does not exist" in run("run", "lenet5", tmp_path / "missing.png", status=2)


def test_a_damaged_recipe_in_a_model_file_is_refused(classifier):
    net, path = classifier
    from pyconv.formats import model_file

    for text in ("[]", "{", '{"crop": 0}', '{"unknown": 1}', '{"crop": "x"}'):
        model_file.save(path, pyconv.load(path).graph, {"pyconv.recipe": text})
        assert "pyconv.recipe in its metadata" in refusal("explain", path)


def test_recipes_are_guessed_and_fitted(tmp_path):
    def found(shape, classes):
        net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(shape[1], classes))
        return source.Found(pyconv.compile(net, shape), "net", None)

    guess = source.guessed_recipe
    assert guess(found((1, 1, 28, 28), 10)) == pyconv.preprocess.mnist
    assert guess(found((1, 3, 32, 32), 10)) == pyconv.preprocess.cifar10
    assert guess(found((1, 3, 224, 224), 1000)) == pyconv.preprocess.imagenet
    assert guess(found((1, 3, 224, 224), 1001)) == pyconv.preprocess.tf_inception
    large = source.fitted_recipe(pyconv.preprocess.imagenet, found((1, 3, 448, 448), 10).model)
    assert (large.resize_shorter, large.crop) == (512, 448)
    with pytest.raises(ValueError, match="square"):
        source.fitted_recipe(pyconv.preprocess.imagenet, found((1, 3, 224, 200), 10).model)


def test_digits_are_drawn():
    picture = np.zeros((28, 28), np.uint8)
    picture[:4, :2] = 255
    assert digits.braille(picture)[0] == "⣿" + 13 * "⠀" and len(digits.braille(picture)) == 7
    assert digits.ascii_art(picture)[0] == "#" + 13 * " "
    lines = digits.grid([picture] * 3, ["a", "b", "c"], 2).split("\n")
    assert len(lines) == 18 and len(lines[0]) == 30
    digits.grid([picture], ["a"], 2, unicode=False).encode("ascii")


def test_mobilenet_v2_sees_what_is_in_the_photographs():
    pytest.importorskip("onnx", reason="the onnx extra is missing")
    network = shared("models", "mobilenet_v2.onnx")
    photo = shared("imagenet_sample", "n02391049_zebra.JPEG")
    text = run("run", network, photo, "--labels", shared("imagenet_sample", "labels.txt"))
    assert "zebra" in text.split("\n")[1]
