"""LeNet-5: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86(11), 1998, section II.B and figure 2.

As usual today, C3 sees all maps of S2 (the paper connects some of them, table I), the subsampling layers
learn nothing, tanh is not scaled, and the output is linear instead of radial basis functions. The paper
pads its digits to 32 x 32; here the first convolution does.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.zoo.registry import register

_ACTIVATIONS: dict[str, Callable[..., Any]] = {"tanh": F.tanh, "relu": F.relu}
_POOLINGS: dict[str, Callable[..., Any]] = {"avg": F.avg_pool2d, "max": F.max_pool2d}


class LeNet5(nn.Module):
    def __init__(self, num_classes: int = 10, activation: str = "tanh", pooling: str = "avg") -> None:
        super().__init__()
        for name, value, known in (
            ("activation", activation, _ACTIVATIONS),
            ("pooling", pooling, _POOLINGS),
        ):
            if value not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        self.activation, self.pooling = activation, pooling
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)  # C1: 28 x 28
        self.conv2 = nn.Conv2d(6, 16, 5)  # C3: 10 x 10
        self.conv3 = nn.Conv2d(16, 120, 5)  # C5: 1 x 1
        self.fc1 = nn.Linear(120, 84)  # F6
        self.fc2 = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Any:
        act, pool = _ACTIVATIONS[self.activation], _POOLINGS[self.pooling]
        x = pool(act(self.conv1(x)), 2)
        x = pool(act(self.conv2(x)), 2)
        x = act(self.conv3(x)).flatten(1)
        return self.fc2(act(self.fc1(x)))


@register("LeCun et al. 1998", size=28, channels=1, recipe="mnist")
def lenet5(
    *, pretrained: bool = False, num_classes: int = 10, activation: str = "tanh", pooling: str = "avg"
) -> LeNet5:
    """LeNet-5 for digits of 28 x 28.

    ``pretrained`` takes the weights that come with the package, trained on MNIST with tanh and average
    pooling, the defaults: 99.54 % of the test set's 10,000 digits.

    >>> import pyconv
    >>> net, (digits, labels) = pyconv.zoo.lenet5(pretrained=True), pyconv.zoo.sample_digits()
    >>> y = net(pyconv.preprocess.mnist.normalized(digits[..., None]))
    >>> int((y.argmax(1) == labels).sum())
    30
    """
    net = LeNet5(num_classes, activation, pooling)
    if pretrained:
        from pyconv.formats import safetensors

        if (num_classes, activation, pooling) != (10, "tanh", "avg"):
            raise ValueError("pretrained: the weights are those of 10 classes, tanh and average pooling")
        with resources.as_file(resources.files("pyconv") / "data" / "lenet5_mnist.safetensors") as path:
            net.load_state_dict({k: v.copy() for k, v in safetensors.load(path).items()})
    return net


def sample_digits() -> tuple[Any, Any]:
    """Thirty digits of MNIST's test set, three of each class: uint8 (30, 28, 28), and their labels.

    >>> import pyconv
    >>> digits, labels = pyconv.zoo.sample_digits()
    >>> digits.shape, labels[:6].tolist()
    ((30, 28, 28), [0, 0, 0, 1, 1, 1])
    """
    from pyconv.formats import load_npz

    with resources.as_file(resources.files("pyconv") / "data" / "mnist_digits.npz") as path:
        arrays = load_npz(path)
    return arrays["images"], arrays["labels"]
