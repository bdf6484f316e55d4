"""Networks from the literature, one family a file, to be read beside its paper.

Each is a function that makes a `pyconv.nn.Module` with random weights; names of parameters are torchvision's
wherever it has the network, so that its checkpoints load as they are:

    net = pyconv.zoo.resnet18()
    net.load_state_dict(pyconv.formats.load_weights("resnet18.pth"))
"""

# ruff: noqa: I001  (the order of families is that of names())
from pyconv.zoo.registry import Entry, create, entry, names
from pyconv.zoo.lenet import lenet5, sample_digits
from pyconv.zoo.alexnet import alexnet, alexnet_grouped, zfnet
from pyconv.zoo.vgg import vgg16, vgg19
from pyconv.zoo.googlenet import googlenet
from pyconv.zoo.inception import inception_v3
from pyconv.zoo.resnet import resnet18, resnet34, resnet50, resnet101, se_resnet50
from pyconv.zoo.resnet_cifar import resnet20, resnet56
from pyconv.zoo.densenet import densenet121
from pyconv.zoo.mobilenet import (
    mobilenet_v1,
    mobilenet_v1_full,
    mobilenet_v2,
    mobilenet_v3_large,
    mobilenet_v3_small,
)
from pyconv.zoo.efficientnet import (
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
    efficientnet_b4,
    efficientnet_b5,
    efficientnet_b6,
    efficientnet_b7,
)
from pyconv.zoo.squeezenet import squeezenet1_1
from pyconv.zoo.shufflenet import shufflenet_v2
from pyconv.zoo.fcn import fcn8s, fcn16s, fcn32s
from pyconv.zoo.unet import unet

__all__ = [
    "Entry",
    "alexnet",
    "alexnet_grouped",
    "create",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "entry",
    "fcn16s",
    "fcn32s",
    "fcn8s",
    "googlenet",
    "inception_v3",
    "lenet5",
    "mobilenet_v1",
    "mobilenet_v1_full",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "names",
    "resnet101",
    "resnet18",
    "resnet20",
    "resnet34",
    "resnet50",
    "resnet56",
    "sample_digits",
    "se_resnet50",
    "shufflenet_v2",
    "squeezenet1_1",
    "unet",
    "vgg16",
    "vgg19",
    "zfnet",
]
