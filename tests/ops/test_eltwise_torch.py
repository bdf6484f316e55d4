"""torch as a second oracle for everything but the convolutions and pooling."""

from __future__ import annotations

import numpy as np
import pytest

import pyconv
from support.arrays import reals

torch = pytest.importorskip("torch")
F = torch.nn.functional

X = reals(np.random.default_rng(1), (2, 6, 7, 9))
PER_CHANNEL = [reals(np.random.default_rng(i), 6) for i in range(4)]


def close(got, want):
    want = want.numpy()
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    "name, options",
    [
        ("relu", {}),
        ("relu6", {}),
        ("leaky_relu", {"negative_slope": 0.2}),
        ("elu", {"alpha": 1.5}),
        ("sigmoid", {}),
        ("silu", {}),
        ("tanh", {}),
        ("gelu", {}),
        ("gelu", {"approximate": "tanh"}),
    ],
    ids=str,
)
def test_activations(name, options):
    close(getattr(pyconv, name)(X, **options), getattr(F, name)(torch.from_numpy(X), **options))


def test_activations_of_other_names():
    t = torch.from_numpy(X)
    close(pyconv.hard_sigmoid(X), F.hardsigmoid(t))
    close(pyconv.hard_swish(X), F.hardswish(t))
    close(pyconv.prelu(X, PER_CHANNEL[0]), F.prelu(t, torch.from_numpy(PER_CHANNEL[0])))


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_softmax(axis):
    close(pyconv.softmax(X, axis), F.softmax(torch.from_numpy(X), axis))
    close(pyconv.log_softmax(X, axis), F.log_softmax(torch.from_numpy(X), axis))


def test_batch_norm():
    mean, var, weight, bias = PER_CHANNEL
    var = np.abs(var)
    tensors = [torch.from_numpy(v) for v in (X, mean, var, weight, bias)]
    close(pyconv.batch_norm(X, mean, var, weight, bias, eps=1e-3), F.batch_norm(*tensors, eps=1e-3))
    close(pyconv.batch_norm(X, mean, var), F.batch_norm(*tensors[:3]))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9])
def test_lrn(size):
    options = {"alpha": 0.3, "beta": 0.6, "k": 2.0}
    close(pyconv.lrn(X, size, **options), F.local_response_norm(torch.from_numpy(X), size, **options))


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate"])
def test_pad(mode):
    options = {"value": 0.5} if mode == "constant" else {}
    want = F.pad(torch.from_numpy(X), (3, 4, 1, 2), mode=mode, **options)
    close(pyconv.pad(X, (1, 2, 3, 4), mode=mode, **options), want)


@pytest.mark.parametrize("target", [{"size": (11, 5)}, {"size": (14, 18)}, {"scale_factor": 2.0},
                                    {"scale_factor": (1.5, 0.6)}], ids=str)  # fmt: skip
@pytest.mark.parametrize("options", [{"mode": "nearest"}, {"mode": "bilinear"},
                                     {"mode": "bilinear", "align_corners": True}], ids=str)  # fmt: skip
def test_resize(target, options):
    close(pyconv.resize(X, **target, **options), F.interpolate(torch.from_numpy(X), **target, **options))


def test_concat():
    parts = [np.ascontiguousarray(X[:, :2]), np.ascontiguousarray(X[:, 2:])]
    close(pyconv.concat(parts), torch.cat([torch.from_numpy(p) for p in parts], 1))
