"""Parameters and multiply-adds of the zoo against what was published.

A count in full is torchvision's `num_params` or follows from the layers; a rounded one ("4.2 M") may be off
by one in its last digit, since papers round either way and differ in what they count beside convolutions.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from pyconv import zoo
from pyconv.nn.module import trace

TORCHVISION = "torchvision, metadata of the weights"
ALEXNET = "Caffe's model zoo, bvlc_alexnet"
MOBILENET = "arXiv:1704.04861, tables 4, 6 and 7"
EFFICIENTNET = "parameters and, at these sizes, multiply-adds: torchvision, metadata of the weights"

# Name, options, size of the input (None: as registered), parameters, multiply-adds, source.
PUBLISHED = [
    ("lenet5", {}, None, 61_706, 416_520, "the layers: 156 + 2416 + 48120 + 10164 + 850"),
    ("alexnet", {}, None, 61_100_840, "0.714 G", TORCHVISION),
    ("alexnet_grouped", {}, None, 60_965_224, "724 M", ALEXNET),
    ("zfnet", {}, None, 62_357_608, "1.17 G", "the layers of figure 3"),
    ("vgg16", {}, None, 138_357_544, "15.47 G", TORCHVISION),
    ("vgg19", {}, None, 143_667_240, "19.632 G", TORCHVISION),
    ("vgg16", {"batch_norm": True}, None, 138_365_992, "15.47 G", TORCHVISION),
    ("vgg19", {"batch_norm": True}, None, 143_678_248, "19.632 G", TORCHVISION),
    ("googlenet", {}, None, "7.0 M", "1.58 G", "Caffe's model zoo, bvlc_googlenet; the paper says 1.5 G"),
    ("googlenet", {"batch_norm": True}, None, 6_624_904, "1.498 G", TORCHVISION),
    ("inception_v3", {"aux_logits": True}, None, 27_161_264, "5.713 G", TORCHVISION),
    ("resnet18", {}, None, 11_689_512, "1.814 G", TORCHVISION),
    ("resnet34", {}, None, 21_797_672, "3.664 G", TORCHVISION),
    ("resnet50", {}, None, 25_557_032, "4.089 G", TORCHVISION),
    ("resnet101", {}, None, 44_549_160, "7.801 G", TORCHVISION),
    ("resnet18", {}, None, "11.7 M", "1.8 G", "arXiv:1512.03385, table 1"),
    ("resnet34", {}, None, "21.8 M", "3.6 G", "arXiv:1512.03385, table 1"),
    ("resnet50", {"stride_in_1x1": True}, None, "25.6 M", "3.8 G", "arXiv:1512.03385, table 1"),
    ("resnet101", {"stride_in_1x1": True}, None, "44.5 M", "7.6 G", "arXiv:1512.03385, table 1"),
    ("se_resnet50", {"stride_in_1x1": True}, None, "28.1 M", "3.87 G", "arXiv:1709.01507, table 2"),
    ("resnet20", {}, None, "0.27 M", "40.6 M", "arXiv:1512.03385, table 6; layers of section 4.2"),
    ("resnet56", {}, None, "0.85 M", "125.5 M", "arXiv:1512.03385, table 6; layers of section 4.2"),
    ("densenet121", {}, None, 7_978_856, "2.834 G", TORCHVISION),
    ("mobilenet_v1", {}, None, "4.2 M", "569 M", MOBILENET),
    ("mobilenet_v1", {"width": 0.75}, None, "2.6 M", "325 M", MOBILENET),
    ("mobilenet_v1", {"width": 0.5}, None, "1.3 M", "149 M", MOBILENET),
    ("mobilenet_v1", {"width": 0.25}, None, "0.5 M", "41 M", MOBILENET),
    ("mobilenet_v1", {}, 192, "4.2 M", "418 M", MOBILENET),
    ("mobilenet_v1", {}, 160, "4.2 M", "290 M", MOBILENET),
    ("mobilenet_v1", {}, 128, "4.2 M", "186 M", MOBILENET),
    ("mobilenet_v1_full", {}, None, "29.3 M", "4.87 G", MOBILENET + " (4866 M)"),
    ("mobilenet_v2", {}, None, 3_504_872, "0.301 G", TORCHVISION),
    ("mobilenet_v2", {"width": 0.75}, None, "2.6 M", "209 M", "the authors' released models"),
    ("mobilenet_v3_large", {}, None, 5_483_032, "0.217 G", TORCHVISION),
    ("mobilenet_v3_small", {}, None, 2_542_856, "0.057 G", TORCHVISION),
    ("efficientnet_b0", {}, None, 5_288_548, "0.386 G", EFFICIENTNET),
    ("efficientnet_b1", {}, None, 7_794_184, "0.687 G", EFFICIENTNET),
    ("efficientnet_b2", {}, 288, 9_109_994, "1.088 G", EFFICIENTNET),
    ("efficientnet_b2", {}, None, "9.2 M", "1.0 G", "arXiv:1905.11946, table 2"),
    ("efficientnet_b3", {}, None, 12_233_232, "1.827 G", EFFICIENTNET),
    ("efficientnet_b4", {}, None, 19_341_616, "4.394 G", EFFICIENTNET),
    ("efficientnet_b5", {}, None, 30_389_784, "10.266 G", EFFICIENTNET),
    ("efficientnet_b6", {}, None, 43_040_704, "19.068 G", EFFICIENTNET),
    ("efficientnet_b7", {}, None, 66_347_960, "37.746 G", EFFICIENTNET),
    ("squeezenet1_1", {}, None, 1_235_496, "0.349 G", TORCHVISION),
    ("shufflenet_v2", {}, None, 2_278_604, "0.145 G", TORCHVISION),
    ("shufflenet_v2", {"width": 0.5}, None, 1_366_792, "0.04 G", TORCHVISION),
    ("shufflenet_v2", {"width": 1.5}, None, 3_503_624, "0.296 G", TORCHVISION),
    ("shufflenet_v2", {"width": 2.0}, None, 7_393_996, "0.583 G", TORCHVISION),
    ("fcn32s", {}, None, "136 M", None, "arXiv:1411.4038, table 1: 134 M, and 1.8 M that upsample"),
    ("fcn16s", {}, None, "134 M", None, "arXiv:1411.4038, table 1"),
    ("fcn8s", {}, None, "134 M", None, "arXiv:1411.4038, table 1"),
    ("unet", {}, None, "31.0 M", "150.4 G", "the layers of figure 1"),
]
CLASSES = {"lenet5": (10,), "resnet20": (10,), "resnet56": (10,), "unet": (2, 388, 388)}
CLASSES |= dict.fromkeys(("fcn32s", "fcn16s", "fcn8s"), (21, 500, 500))


def without_numbers(net):
    """The network with zeros for weights, which the system hands out without touching memory."""
    state = {}
    for prefix, module in net.named_modules():
        for name, parameter in [*module._parameters.items(), *module._buffers.items()]:
            if parameter is not None:
                zeros = np.zeros(parameter.shape, parameter.dtype)
                zeros.flags.writeable = False
                state[f"{prefix}.{name}" if prefix else name] = zeros
    net.load_state_dict(state)
    return net


def graph(name, options, size):
    shape = zoo.entry(name).input_shape
    if size is not None:
        shape = (*shape[:2], size, size)
    net = without_numbers(zoo.create(name, **options))
    return net, trace(net, {"input": shape}).graph


def agrees(count, published):
    if isinstance(published, int):
        return count == published
    digits, decimals, unit = re.fullmatch(r"(\d+(?:\.(\d+))?) ([MG])", published).groups()
    factor = {"M": 1e6, "G": 1e9}[unit]
    return abs(count - float(digits) * factor) <= factor * 10 ** -len(decimals or "")


@pytest.mark.parametrize(
    "name, options, size, parameters, macs, source",
    PUBLISHED,
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_counts(name, options, size, parameters, macs, source):
    net, recorded = graph(name, options, size)
    assert agrees(net.num_parameters(), parameters), (net.num_parameters(), source)
    counted = sum(node["macs"] for node in recorded.nodes())
    assert macs is None or agrees(counted, macs), (counted, source)


def test_every_network_is_counted():
    assert {row[0] for row in PUBLISHED} == set(zoo.names())


@pytest.mark.parametrize("name", zoo.names())
def test_output_shape(name):
    _, recorded = graph(name, {}, None)
    (output,) = recorded.outputs
    assert recorded.value(output)[2] == (1, *CLASSES.get(name, (1000,)))


def test_layers_of_lenet5():
    """Trainable parameters of C1, C5 and F6, and connections of C1, as the paper counts them (II.B)."""
    net, recorded = graph("lenet5", {}, None)
    assert [getattr(net, layer).num_parameters() for layer in ("conv1", "conv3", "fc1")] == [
        156,
        48120,
        10164,
    ]
    first = next(node for node in recorded.nodes() if node["op"] == "conv")
    assert first["macs"] + 28 * 28 * 6 == 122_304


def test_where_mobilenet_v1_spends_its_multiply_adds():
    """arXiv:1704.04861, table 2, whose 1.19 % for the first layer would leave 0.7 % to nobody."""
    _, recorded = graph("mobilenet_v1", {}, None)
    shares = dict.fromkeys(("1x1", "depthwise", "3x3", "linear"), 0)
    for node in recorded.nodes():
        if node["op"] == "conv":
            weight = recorded.value(node["inputs"][1])[2]
            kind = "1x1" if weight[2:] == (1, 1) else "depthwise" if weight[1] == 1 else "3x3"
            shares[kind] += node["macs"]
        elif node["op"] == "linear":
            shares["linear"] += node["macs"]
    total = sum(shares.values())
    percent = {kind: round(100 * macs / total, 2) for kind, macs in shares.items()}
    assert percent == {"1x1": 94.86, "depthwise": 3.06, "3x3": 1.91, "linear": 0.18}


# Side of the result, channels in and out, as figure 1 of arXiv:1505.04597 has them.
UNET_3X3 = [(570, 1, 64), (568, 64, 64), (282, 64, 128), (280, 128, 128), (138, 128, 256), (136, 256, 256)]
UNET_3X3 += [(66, 256, 512), (64, 512, 512), (30, 512, 1024), (28, 1024, 1024), (54, 1024, 512)]
UNET_3X3 += [(52, 512, 512), (102, 512, 256), (100, 256, 256), (198, 256, 128), (196, 128, 128)]
UNET_3X3 += [(390, 128, 64), (388, 64, 64)]
UNET_UP = [(56, 1024, 512), (104, 512, 256), (200, 256, 128), (392, 128, 64)]


def test_layers_of_unet():
    net, recorded = graph("unet", {}, None)
    layers = [(side, i, o, 9, 9) for side, i, o in UNET_3X3] + [(388, 64, 2, 1, 1)]
    layers += [(side, i, o, 4, 1) for side, i, o in UNET_UP]  # of four taps each pixel gets one
    assert len(layers) == 23
    assert net.num_parameters() == sum(i * o * taps + o for _, i, o, taps, _ in layers)
    macs = sum(side * side * i * o * used for side, i, o, _, used in layers)
    assert sum(node["macs"] for node in recorded.nodes()) == macs
