"""Recipes: what becomes of a picture, and that published ones give published results."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from pyconv import preprocess
from pyconv.preprocess import Recipe
from support.data import shared

AS_IT_IS = Recipe(resize_shorter=None, crop=None, scale=1.0, mean=(0, 0, 0), std=(1, 1, 1))


def picture(height, width, channels=3):
    values = np.arange(height * width * channels) * 7 % 256
    return values.astype(np.uint8).reshape(height, width, channels)


@pytest.mark.parametrize("name", preprocess.names())
def test_values(name):
    """(v * scale - mean) / std in float64, rounded once; affine() says the same."""
    recipe = preprocess.recipe(name)
    pictures = picture(16, 16, recipe.channels)[None]
    exact = (pictures * np.float64(recipe.scale) - recipe.mean) / recipe.std
    x = recipe.normalized(pictures)
    assert x.dtype == np.float32 and x.flags.c_contiguous
    np.testing.assert_array_equal(x, exact.astype(np.float32).transpose(0, 3, 1, 2))
    multiplier, offset = recipe.affine()
    np.testing.assert_allclose(pictures * multiplier + offset, exact, rtol=1e-12, atol=1e-12)


def test_channel_order_and_layout():
    pixels = picture(5, 4)
    bgr = Recipe(**{**vars(AS_IT_IS), "channel_order": "BGR"})
    nhwc = Recipe(**{**vars(AS_IT_IS), "layout": "nhwc"})
    np.testing.assert_array_equal(AS_IT_IS(pixels)[0], pixels.transpose(2, 0, 1))
    np.testing.assert_array_equal(bgr(pixels)[0], pixels[..., ::-1].transpose(2, 0, 1))
    np.testing.assert_array_equal(nhwc(pixels)[0], pixels)
    assert nhwc(pixels).flags.c_contiguous


def test_the_centre_is_kept():
    pixels = picture(9, 6)
    crop = Recipe(resize_shorter=None, crop=4)
    np.testing.assert_array_equal(crop.uint8(pixels), pixels[2:6, 1:5])
    with pytest.raises(ValueError, match="picture: expected at least 4 pixels, got 9 x 3"):
        crop(picture(9, 3))


def test_grey():
    digit = picture(28, 28, 1)
    assert preprocess.mnist(digit).shape == (1, 1, 28, 28)
    np.testing.assert_array_equal(preprocess.mnist(digit[..., 0]), preprocess.mnist(digit))


def test_arrays_of_the_right_size_need_no_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert preprocess.imagenet(picture(256, 300)).shape == (1, 3, 224, 224)
    assert preprocess.cifar10(picture(32, 32)).shape == (1, 3, 32, 32)
    for other in (picture(257, 300), "photo.jpg"):
        with pytest.raises(ImportError, match=r"needs Pillow: pip install 'pyconv-engine\[images\]'"):
            preprocess.imagenet(other)


@pytest.mark.parametrize(
    "height, width, expected",
    [(512, 300, (437, 256)), (300, 512, (256, 437)), (100, 100, (256, 256)), (1, 3, (256, 768))],
)
def test_the_shorter_side_is_resized(height, width, expected):
    image = pytest.importorskip("PIL.Image")
    whole = Recipe(crop=None).uint8(picture(height, width))
    assert whole.shape == (*expected, 3)
    size, bilinear = expected[::-1], image.Resampling.BILINEAR
    np.testing.assert_array_equal(
        whole, np.asarray(image.fromarray(picture(height, width)).resize(size, bilinear))
    )


def test_files_images_and_arrays_agree(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = picture(40, 50)
    image.fromarray(pixels).save(tmp_path / "a.png")
    expected = preprocess.cifar10.uint8(pixels)
    for same in (tmp_path / "a.png", str(tmp_path / "a.png"), image.fromarray(pixels)):
        np.testing.assert_array_equal(preprocess.cifar10.uint8(same), expected)
    with pytest.raises(FileNotFoundError):
        preprocess.cifar10(tmp_path / "b.png")
    (tmp_path / "b.png").write_bytes(b"nonsense")
    with pytest.raises(OSError):
        preprocess.cifar10(tmp_path / "b.png")


def test_a_turned_photograph_is_set_upright(tmp_path):
    image = pytest.importorskip("PIL.Image")
    turned = image.fromarray(picture(3, 2))
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    turned.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(AS_IT_IS.uint8(tmp_path / "a.png"), np.rot90(picture(3, 2), -1))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"interpolation": "cubic"}, "interpolation: expected one of nearest, bilinear"),
        ({"channel_order": "GBR"}, "channel_order: expected one of RGB, BGR, L, got 'GBR'"),
        ({"layout": "chw"}, "layout: expected one of nchw, nhwc, got 'chw'"),
        ({"crop": 0}, "crop: expected 1 pixel or more, got 0"),
        ({"crop": 300}, "crop: expected at most resize_shorter=256, got 300"),
        ({"mean": (0.5,)}, r"mean: expected 3 numbers for RGB, got \(0.5,\)"),
        ({"std": (1, 0, 1)}, "std not 0"),
        ({"scale": np.nan}, "expected finite numbers"),
    ],
)
def test_recipes_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**options)


@pytest.mark.parametrize(
    "error, message, bad",
    [
        (TypeError, "picture: expected uint8, got float32", np.zeros((32, 32, 3), np.float32)),
        (ValueError, r"picture: expected shape \(H, W, 3\) in RGB, got", np.zeros((32, 32), np.uint8)),
        (ValueError, r"picture: expected shape \(H, W, 3\) in RGB, got", np.zeros((32, 0, 3), np.uint8)),
        (TypeError, "picture: expected a path, an array or a Pillow image, got int", 3),
    ],
)
def test_pictures_are_checked(error, message, bad):
    if isinstance(bad, int):
        pytest.importorskip("PIL")
    with pytest.raises(error, match=message):
        preprocess.cifar10(bad)


def test_batches_are_checked():
    with pytest.raises(TypeError, match="pictures: expected a numpy array of uint8, got float64"):
        preprocess.cifar10.normalized(np.zeros((1, 32, 32, 3)))
    with pytest.raises(ValueError, match=r"pictures: expected shape \(N, H, W, 3\)"):
        preprocess.cifar10.normalized(np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="name: expected one of imagenet"):
        preprocess.recipe("imagnet")


@pytest.mark.parametrize(
    "model, recipe, top1, top5",
    [("mobilenet_v1_1.0_224", "tf_inception", 93, 100), ("mobilenet_v2", "imagenet", 84, 98)],
)
def test_photographs_are_recognised_by_another_engine(model, recipe, top1, top5):
    """With real weights: that size, crop, scaling and order of channels are those of training."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("PIL")
    reference = json.loads(shared("imagenet_sample", "reference.json").read_text())
    session = onnxruntime.InferenceSession(shared("models", f"{model}.onnx"))
    first = second = 0
    for name, known in reference.items():
        x = preprocess.recipe(recipe)(shared("imagenet_sample", name))
        logits = session.run(None, {session.get_inputs()[0].name: x})[0].reshape(-1)[-1000:]
        best = np.argsort(-logits, kind="stable")[:5].tolist()
        first += best[0] == known["class"]
        second += known["class"] in best
        if recipe == "tf_inception":
            assert best == [index for index, _ in known["mobilenet_v1_top5"]], name
    assert (first, second) == (top1, top5)
