"""Networks as torch exports them: shape subgraphs, open sizes, written-out operators."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

import pyconv  # noqa: E402
from pyconv.formats.onnx import OnnxNetwork  # noqa: E402
from support.arrays import assert_same_bits  # noqa: E402

nn, F = torch.nn, torch.nn.functional


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.norm, self.prelu = nn.InstanceNorm2d(8, affine=True), nn.PReLU(8)
        self.up, self.out = nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.Linear(64, 5)

    def forward(self, x):
        x = self.prelu(self.norm(F.hardswish(self.bn(self.conv(x)))))
        x = x * F.hardsigmoid(F.adaptive_avg_pool2d(x, 1))
        y = F.interpolate(F.pixel_shuffle(x, 2), size=x.shape[-2:], mode="nearest")
        x = F.pad(torch.cat([x[:, :6], y], 1), (1, 1, 0, 1), mode="reflect")
        x = F.avg_pool2d(self.up(F.max_pool2d(x, 3, 2, ceil_mode=True)), 2)
        x = F.interpolate(x, size=(4, 4), mode="bilinear", align_corners=True)
        return self.out(x.flatten(1)).softmax(-1)


class Shuffled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, groups=4)

    def forward(self, x):
        n, c, h, w = x.size()
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)
        a, b = self.conv(x).chunk(2, 1)
        z = F.silu(a) * torch.sigmoid(b) + F.gelu(b) - F.mish(a) + F.elu(b) + F.selu(a) + F.softplus(b)
        values, indices = z.flatten(2).topk(3, -1)
        columns = torch.arange(w).float().expand(n, w) + z.sum((1, 2))
        return z, values, indices, z.argmax(1), torch.where(z > 0, z, z * 2).amax((2, 3)), z.norm(dim=1), columns


class Sequences(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.query = nn.Conv1d(4, 6, 5, padding=2), nn.Linear(6, 6)

    def forward(self, x):
        x = F.max_pool1d(self.conv(x), 2)
        y = x.permute(0, 2, 1)
        weights = torch.softmax(self.query(y) @ y.transpose(1, 2) / 6**0.5, -1)
        return (weights @ y).reshape(x.shape[0], -1), torch.clamp(y, min=-0.5), F.avg_pool1d(x, 3, 1, 1)


class Volumes(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.up, self.bn = nn.Conv3d(2, 3, 3, padding=1), nn.ConvTranspose3d(3, 2, 2, 2), nn.BatchNorm3d(3)

    def forward(self, x):
        return F.avg_pool3d(F.max_pool3d(self.up(self.bn(self.conv(x))), 2), 2)


SHAPES = {Images: (2, 3, 16, 20), Shuffled: (2, 8, 6, 10), Sequences: (3, 4, 16), Volumes: (1, 2, 4, 6, 8)}


def exported(module, x, opset, dynamic):
    file = io.BytesIO()
    axes = {0: "n", **({2: "h", 3: "w"} if x.ndim == 4 else {})}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(module, (x,), file, opset_version=opset, dynamo=False, input_names=["x"],
                              dynamic_axes={"x": axes} if dynamic else None)  # fmt: skip
        except TypeError as error:
            pytest.skip(f"torch's exporter by tracing: {error}")
    return onnx.load_from_string(file.getvalue())


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("module", SHAPES, ids=lambda m: m.__name__)
def test_exported_by_torch(module, opset, dynamic):
    torch.manual_seed(0)
    network = module().eval()
    x = torch.randn(SHAPES[module])
    with torch.no_grad():
        want = network(x)
    model = pyconv.compile(OnnxNetwork(exported(network, x, opset, dynamic)), tuple(x.shape))
    got = model(x.numpy())
    for mine, other in zip(got if isinstance(got, tuple) else (got,), want if isinstance(want, tuple) else (want,)):
        assert mine.shape == tuple(other.shape)
        np.testing.assert_allclose(mine, other.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("module", SHAPES, ids=lambda m: m.__name__)
def test_exact_bits(module):
    """The operators around the convolutions keep the contract too: any instruction set and threads."""
    torch.manual_seed(0)
    network = module().eval()
    x = torch.randn(SHAPES[module])
    imported = OnnxNetwork(exported(network, x, 17, False))

    def run(**options):
        found = pyconv.compile(imported, tuple(x.shape), accuracy="exact", **options)(x.numpy())
        return found if isinstance(found, tuple) else (found,)

    want = run()
    others = [{"threads": 3}] + [{"max_isa": isa} for isa in sorted({k.isa for k in pyconv.kernels() if k.available})]
    for options in others:
        for mine, other in zip(run(**options), want):
            if mine.dtype == np.float32:
                assert_same_bits(mine, other, str(options))
            else:
                np.testing.assert_array_equal(mine, other, str(options))
