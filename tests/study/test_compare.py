"""The study runs, checks what it times, and tells a wrong result."""

import numpy as np
import pytest

from pyconv.study import compare, machine, photo, reference, report
from reference import conv2d as reference_conv2d

SMALL = compare.Settings(channels=6, height=9, width=7, filters=5, rounds=2, sample_seconds=1e-5)


@pytest.fixture
def quick(monkeypatch, roofline):
    monkeypatch.setattr(machine, "roofline", lambda *_, **__: roofline)


def test_the_picture_ships_and_gives_the_same_features_each_time():
    picture = photo.load()
    assert picture.size == (512, 512)
    one, two = (photo.features(picture, 9, 7, 6) for _ in range(2))
    assert one.shape == (1, 9, 7, 6) and one.dtype == np.float32
    np.testing.assert_array_equal(one, two)
    assert one.min() == 0 and np.isclose(np.sqrt((one.astype(float) ** 2).mean()), 1)


def test_another_picture(tmp_path):
    photo.Image.new("L", (20, 30), 128).save(tmp_path / "grey.png")
    assert photo.pixels(photo.load(tmp_path / "grey.png"), 8, 8).shape == (1, 8, 8, 3)


@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("accuracy", ["fast", "exact"])
def test_every_kind_is_compared(quick, kernel, accuracy):
    settings = compare.replace(SMALL, kernel=kernel, accuracy=accuracy)
    study = compare.run(settings)
    names = [row.name for row in study.rows if row.name != report.PLAIN]
    assert names == ["normal", "pointwise", "depthwise", "spatially separable", "depthwise-separable"]
    area, k = 9 * 7, kernel
    expected = [6 * 5 * k * k, 6 * 5, 6 * k * k, 6 * 2 * k, 6 * k * k + 6 * 5]
    assert [row.cost.macs for row in study.rows if row.name != report.PLAIN] == [n * area for n in expected]
    assert all(row.error < 1e-5 and row.seconds > 0 for row in study.rows)
    assert report.finding(study).endswith(".")


def test_a_wrong_result_is_told_before_anything_is_timed(quick, monkeypatch):
    class Wrong(compare.pyconv.Conv2dPlan):
        def __call__(self, x, out=None):
            y = super().__call__(x, out)
            y.flat[0] += 1e-3
            return y

    monkeypatch.setattr(compare.pyconv, "Conv2dPlan", Wrong)
    with pytest.raises(compare.WrongResult, match=r"normal \(.*\) differs from float64"):
        compare.run(SMALL)


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_own_reference_agrees_with_that_of_the_tests(groups):
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(2, 9, 8, 6)), rng.normal(size=(12, 6 // groups, 3, 2))
    options = {"stride": (2, 1), "padding": (1, 0, 2, 1), "dilation": (1, 2), "groups": groups}
    got = reference.conv2d(x, weight, **options)
    expected = reference_conv2d(x.transpose(0, 3, 1, 2), weight, **options).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_relative_error():
    expected = np.array([2.0, -4.0])
    assert reference.relative_error(np.array([2.0, -4.2], np.float64), expected) == pytest.approx(0.05)
    assert reference.relative_error(np.array([np.nan, -4.0]), expected) == np.inf
