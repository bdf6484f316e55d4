"""Batches that run image by image, and those that must not."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import pyconv
from pyconv import nn
from pyconv.nn import functional as F


def bits(array):
    return np.ascontiguousarray(array).view(np.uint32)


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


class Separable(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(16, 5)

    def forward(self, x):
        y = F.relu(self.conv(x))
        y = F.cat([y, y * 0.5], 1)[:, :, 1:].mean((2, 3))
        return F.softmax(self.fc(y.reshape(x.shape[0], 16)), 1), y


@pytest.mark.parametrize("images", [2, 3, 8])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_batch_runs_image_by_image_with_the_same_bits(images, threads):
    nn.manual_seed(6)
    net = Separable()
    x = noise(images, 3, 10, 9)
    model = pyconv.compile(net, x.shape, accuracy="exact", threads=threads)
    described = model.describe()
    assert described["images"] == images and 1 <= described["image_threads"] <= threads
    one = pyconv.compile(net, (1, 3, 10, 9), accuracy="exact")
    assert model.arena_bytes == described["image_threads"] * one.arena_bytes
    got = model(x)
    for i in range(images):
        for y, want in zip(got, one(x[i : i + 1])):
            np.testing.assert_array_equal(bits(y[i : i + 1]), bits(want))
    loaded = pickle.loads(pickle.dumps(model))
    for y, want in zip(loaded(x), got):
        np.testing.assert_array_equal(bits(y), bits(want))


@pytest.mark.parametrize(
    "mix",
    [
        lambda x: x.mean(0),
        lambda x: F.softmax(x, 0),
        lambda x: F.cat([x, x], 0),
        lambda x: x[1:],
        lambda x: x.reshape(-1),
        lambda x: x.permute(1, 0),
        lambda x: x + np.arange(12, dtype=np.float32).reshape(4, 3),
        lambda x: x + x.mean(1),
    ],
)
def test_a_batch_that_mixes_its_images_stays_together(mix):
    class Net(nn.Module):
        def forward(self, x):
            return mix(x.relu())

    x = noise(4, 3)
    try:
        model = pyconv.compile(Net(), x.shape)
    except ValueError:  # shapes that do not broadcast
        x = noise(4, 4)
        model = pyconv.compile(Net(), x.shape)
    assert model.describe()["images"] == 1
    assert model(x) is not None
