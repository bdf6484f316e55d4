"""Where torchvision is installed: its state loads as it is, and gives the same scores."""

from __future__ import annotations

import numpy as np
import pytest

from pyconv import zoo

torch = pytest.importorskip("torch")
models = pytest.importorskip("torchvision.models", exc_type=ImportError)

# torchvision's name and options, ours, and the side of the image.
PAIRS = [
    ("alexnet", {}, "alexnet", {}, 224),
    ("vgg16_bn", {}, "vgg16", {"batch_norm": True}, 224),
    ("resnet18", {}, "resnet18", {}, 96),
    ("resnet34", {}, "resnet34", {}, 96),
    ("resnet50", {}, "resnet50", {}, 96),
    ("resnet101", {}, "resnet101", {}, 96),
    ("googlenet", {"init_weights": False}, "googlenet", {"batch_norm": True, "aux_logits": True}, 96),
    ("inception_v3", {"init_weights": False}, "inception_v3", {"aux_logits": True}, 107),
    ("densenet121", {}, "densenet121", {}, 96),
    ("mobilenet_v2", {}, "mobilenet_v2", {}, 96),
    ("mobilenet_v3_large", {}, "mobilenet_v3_large", {}, 96),
    ("mobilenet_v3_small", {}, "mobilenet_v3_small", {}, 96),
    ("efficientnet_b0", {}, "efficientnet_b0", {}, 96),
    ("efficientnet_b5", {}, "efficientnet_b5", {}, 96),
    ("squeezenet1_1", {}, "squeezenet1_1", {}, 96),
    ("shufflenet_v2_x1_0", {}, "shufflenet_v2", {}, 96),
    ("shufflenet_v2_x0_5", {}, "shufflenet_v2", {"width": 0.5}, 96),
]


def with_statistics(net):
    """Batch norms that change something."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, buffer in net.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1, generator=generator)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5, generator=generator)
    return net.eval()


@pytest.mark.parametrize("their_name, their_options, name, options, side", PAIRS, ids=lambda v: str(v)[:20])
def test_state_and_scores(their_name, their_options, name, options, side):
    theirs = with_statistics(getattr(models, their_name)(weights=None, num_classes=10, **their_options))
    ours = zoo.create(name, num_classes=10, **options)
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    assert [(k, v.shape) for k, v in ours.state_dict().items()] == [(k, v.shape) for k, v in state.items()]
    ours.load_state_dict(state)
    x = np.random.default_rng(1).standard_normal((1, 3, side, side), np.float32)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours(x), expected, rtol=0, atol=1e-4 * np.abs(expected).max())
