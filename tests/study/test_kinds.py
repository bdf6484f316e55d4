"""The kinds of convolution as one network, and their page."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("rich", reason="the study extra is missing")

from click.testing import CliRunner  # noqa: E402

import pyconv  # noqa: E402
from pyconv import nn  # noqa: E402
from pyconv.study import kinds, network, page  # noqa: E402
from pyconv.study.commands import pyconv as command  # noqa: E402


@pytest.mark.parametrize("kernel", [3, 4])
def test_every_kind_keeps_the_size_and_has_its_count(kernel, roofline):
    """C K K H : C K K : C (K + K) : C H, and the separable one a sum of two."""
    c, h, pixels = 6, 10, 9 * 7
    model = pyconv.compile(kinds.Kinds(c, h, kernel), (1, c, 9, 7), without=["fuse_inverted_residual"])
    assert [s[1] for s in model.output_shapes.values()] == [h, h, c, c, h]
    made = {**network.study(model, roofline=roofline).as_dict(), "rival": "normal"}
    parts = {part.name: part for part in kinds.parts(made)}
    k2 = kernel * kernel
    want = {"pointwise": c * h, "depthwise": c * k2, "spatially separable": c * 2 * kernel,
            "depthwise separable": c * (k2 + h)}  # fmt: skip
    assert {name: part.macs for name, part in parts.items()} == {
        name: (pixels * macs, pixels * c * k2 * h) for name, macs in want.items()
    }


def test_the_network_computes_the_kinds():
    nn.manual_seed(1)
    net = kinds.Kinds(4, 5, 3)
    x = np.random.default_rng(0).standard_normal((1, 4, 6, 5), np.float32)
    weights = net.state_dict()
    normal, *_ = pyconv.compile(net, x.shape, accuracy="exact")(x)
    want = pyconv.conv2d(x, weights["normal.weight"], padding=1).mean((2, 3))
    # Sums of 36 products and of 30 pixels: (36 + 30 + 2) u of magnitudes that cancel by less than 100.
    assert np.abs(normal[:, :, 0, 0] - want).max() <= 100 * 68 * 2**-24 * np.abs(want).max()


def test_the_study_writes_a_page(tmp_path):
    out = tmp_path / "kinds.html"
    arguments = ["study", "--channels", "16", "--size", "8x6", "--rounds", "2", "--no-plot", "--output", str(tmp_path)]
    run = CliRunner().invoke(command, [*arguments, "--html", str(out)])
    assert run.exit_code == 0, run.output
    made = out.read_text("utf-8")
    for words in ("MACs against time", "The ladder", "Roofline", "Refused", "Memory", "depthwise separable"):
        assert words in made
    study = json.loads((tmp_path / "study-c16f16_8x6k3.json").read_text("utf-8"))
    assert page.escape(study["finding"]) in made
