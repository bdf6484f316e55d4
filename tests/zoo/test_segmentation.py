"""FCN-8s and U-Net against the same layers written with torch's functions."""

from __future__ import annotations

import numpy as np
import pytest

from pyconv import nn, zoo

torch = pytest.importorskip("torch")
F = torch.nn.functional


def with_state(net, shape):
    """The network's scores on noise, its weights and the noise as torch has them."""
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    state = {key: torch.from_numpy(np.array(value)) for key, value in net.state_dict().items()}
    return net(x), state, torch.from_numpy(x)


def close(ours, theirs):
    theirs = theirs.numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())


def conv(state, name, x, **options):
    return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], **options)


@pytest.mark.parametrize("shape", [(1, 1, 188, 204), (2, 1, 190, 189)])
def test_unet(shape):
    nn.manual_seed(0)
    y, s, x = with_state(zoo.unet(width=4), shape)

    def double(x, name):
        x = F.relu(conv(s, f"{name}.conv1", x))
        return F.relu(conv(s, f"{name}.conv2", x))

    skips = []
    for i in range(5):
        x = double(F.max_pool2d(x, 2) if i else x, f"down.{i}")
        skips.append(x)
    for i, skip in enumerate(skips[-2::-1]):
        x = F.conv_transpose2d(x, s[f"up.{i}.up.weight"], s[f"up.{i}.up.bias"], stride=2)
        h, w = x.shape[2:]
        top, left = (skip.shape[2] - h) // 2, (skip.shape[3] - w) // 2
        x = double(torch.cat([skip[:, :, top : top + h, left : left + w], x], 1), f"up.{i}.conv")
    close(y, conv(s, "out", x))


def test_fcn8s():
    nn.manual_seed(0)
    y, s, image = with_state(zoo.fcn8s(num_classes=3), (1, 3, 40, 57))
    assert y.shape == (1, 3, 40, 57)

    def crop(x, like, at):
        return x[:, :, at : at + like.shape[2], at : at + like.shape[3]]

    x, pools = image, []
    for i, count in enumerate((2, 2, 3, 3, 3)):
        for j in range(count):
            x = F.relu(conv(s, f"conv{i + 1}_{j + 1}", x, padding=1 if i or j else 100))
        x = F.max_pool2d(x, 2, ceil_mode=True)
        pools.append(x)
    x = conv(s, "score_fr", F.relu(conv(s, "fc7", F.relu(conv(s, "fc6", x)))))
    x = F.conv_transpose2d(x, s["upscore2.weight"], stride=2)
    x = x + crop(conv(s, "score_pool4", pools[3]), x, 5)
    x = F.conv_transpose2d(x, s["upscore_pool4.weight"], stride=2)
    x = x + crop(conv(s, "score_pool3", pools[2]), x, 9)
    close(y, crop(F.conv_transpose2d(x, s["upscore8.weight"], stride=8), image, 31))


def test_upsampling_begins_bilinear():
    """A constant stays what it is, away from the border."""
    from pyconv.zoo.fcn import bilinear

    x = torch.full((1, 2, 6, 6), 3.0)
    for factor in (2, 8):
        y = F.conv_transpose2d(x, torch.from_numpy(bilinear(2, 2 * factor)), stride=factor)
        inside = y[:, :, factor:-factor, factor:-factor]
        assert torch.allclose(inside, torch.full_like(inside, 3.0), rtol=1e-6)
