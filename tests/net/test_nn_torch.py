"""Layers of pyconv.nn beside torch's of the same name."""

from __future__ import annotations

import numpy as np
import pytest

from pyconv import nn
from pyconv.nn import functional as F

LAYERS = [
    ("Softplus", {}), ("Softsign", {}), ("Mish", {}), ("SELU", {}), ("CELU", {"alpha": 0.7}),
    ("Hardtanh", {"min_val": -0.5, "max_val": 0.25}), ("PReLU", {}), ("PReLU", {"num_parameters": 8}),
    ("ZeroPad2d", {"padding": (1, 2, 3, 0)}), ("ConstantPad2d", {"padding": 2, "value": 0.5}),
    ("ReflectionPad2d", {"padding": (1, 2, 3, 0)}), ("ReplicationPad2d", {"padding": 3}),
    ("Upsample", {"scale_factor": 2}), ("Upsample", {"scale_factor": 1.5, "mode": "nearest"}),
    ("Upsample", {"size": (5, 17), "mode": "bilinear"}),
    ("Upsample", {"scale_factor": 2, "mode": "bilinear", "align_corners": True}),
    ("Upsample", {"size": (11, 4), "mode": "bicubic"}),
    ("PixelShuffle", {"upscale_factor": 2}), ("ChannelShuffle", {"groups": 4}),
    ("InstanceNorm2d", {"num_features": 8}), ("InstanceNorm2d", {"num_features": 8, "affine": True}),
    ("GELU", {}), ("GELU", {"approximate": "tanh"}), ("Hardswish", {}), ("LeakyReLU", {}), ("ELU", {}),
    ("Softmax", {"dim": 1}), ("LogSoftmax", {"dim": -1}), ("AdaptiveAvgPool2d", {"output_size": (3, 1)}),
    ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("AvgPool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    ("LocalResponseNorm", {"size": 5}), ("ConvTranspose2d", {"in_channels": 8, "out_channels": 6,
     "kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1, "groups": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), LAYERS, ids=lambda v: str(v))
def test_layer_beside_torch(name, arguments):
    torch = pytest.importorskip("torch")
    nn.manual_seed(5)
    ours, theirs = getattr(nn, name)(**arguments), getattr(torch.nn, name)(**arguments)
    theirs.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in ours.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((2, 8, 9, 7), np.float32)
    with torch.inference_mode():
        want = theirs.eval()(torch.from_numpy(x)).numpy()
    got = ours(x)
    assert got.shape == want.shape
    # Some hundred roundings of either side, of values near 1.
    assert np.abs(got - want).max() <= 2e-5 * max(1.0, np.abs(want).max())


def test_shuffles_move_what_they_say():
    x = np.arange(2 * 8 * 2 * 3, dtype=np.float32).reshape(2, 8, 2, 3)
    shuffled = nn.PixelShuffle(2)(x)
    assert shuffled.shape == (2, 2, 4, 6)
    for r in range(2):
        for s in range(2):
            np.testing.assert_array_equal(shuffled[:, :, r::2, s::2], x[:, 2 * r + s :: 4])
    np.testing.assert_array_equal(nn.ChannelShuffle(2)(x), x[:, [0, 4, 1, 5, 2, 6, 3, 7]])


def test_padding_is_numpys():
    class Pads(nn.Module):
        def forward(self, x):
            return tuple(F.pad(x, (1, 2, 0, 3), mode) for mode in ("constant", "reflect", "replicate"))

    x = np.random.default_rng(0).standard_normal((1, 2, 5, 6), np.float32)
    for got, mode in zip(Pads()(x), ("constant", "reflect", "edge")):
        np.testing.assert_array_equal(got, np.pad(x, ((0, 0), (0, 0), (0, 3), (1, 2)), mode))


def test_wrong_arguments_are_named():
    x = np.zeros((1, 6, 4, 4), np.float32)
    with pytest.raises(ValueError, match="upscale_factor: expected"):
        nn.PixelShuffle(2)(x)
    with pytest.raises(ValueError, match="groups: expected a divisor of 6 channels, got 4"):
        nn.ChannelShuffle(4)(x)
    with pytest.raises(ValueError, match="mode: expected one of"):
        nn.Upsample(size=3, mode="trilinear")(x)
    with pytest.raises(ValueError, match="padding: expected an int or"):
        nn.ZeroPad2d((1, 2))
