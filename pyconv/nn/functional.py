"""Functions of symbolic tensors, named as in torch.nn.functional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv.graph import Tensor

Array = npt.NDArray[Any]
IntPair = int | Sequence[int]


def pair(value: IntPair, name: str) -> list[int]:
    """An int twice, or two ints."""
    values = [value, value] if isinstance(value, int | np.integer) else list(value)
    if len(values) != 2:
        raise ValueError(f"{name}: expected an int or a pair, got {value!r}")
    return [int(v) for v in values]


def same_padding(
    size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """(top, bottom, left, right) of TensorFlow's "same": ceil(size / stride), the odd pixel at the end."""
    sides: list[int] = []
    for i in range(2):
        out = -(-size[i] // stride[i])
        total = max(0, (out - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 - size[i])
        sides += [total // 2, total - total // 2]
    return sides


def conv2d(
    x: Tensor,
    weight: Array | Tensor,
    bias: Array | Tensor | None = None,
    stride: IntPair = 1,
    padding: IntPair | str = 0,
    dilation: IntPair = 1,
    groups: int = 1,
    *,
    name: str = "",
) -> Tensor:
    """As `pyconv.conv2d`: x (N, C, H, W), weight (O, C // groups, kH, kW), bias (O,)."""
    w = weight if isinstance(weight, Tensor) else x.builder.constant(weight, "weight")
    b = bias if bias is None or isinstance(bias, Tensor) else x.builder.constant(bias, "bias")
    strides, dilations = pair(stride, "stride"), pair(dilation, "dilation")
    if padding == "same":
        sides = same_padding(x.shape[2:], w.shape[2:], strides, dilations)
    elif padding == "valid":
        sides = [0, 0, 0, 0]
    elif isinstance(padding, str):
        raise ValueError(
            "padding: expected an int, a pair, (top, bottom, left, right), 'same' or 'valid', "
            f"got {padding!r}"
        )
    elif not isinstance(padding, int) and len(padding) == 4:
        sides = [int(p) for p in padding]
    else:
        h, v = pair(padding, "padding")
        sides = [h, h, v, v]
    return x.builder.node(
        "conv", [x, w, b], name,
        stride=strides, padding=sides, dilation=dilations, groups=int(groups),
    )  # fmt: skip


def linear(
    x: Tensor, weight: Array | Tensor, bias: Array | Tensor | None = None, *, name: str = ""
) -> Tensor:
    """y = x weight^T + bias over the last axis."""
    w = weight if isinstance(weight, Tensor) else x.builder.constant(weight, "weight")
    b = bias if bias is None or isinstance(bias, Tensor) else x.builder.constant(bias, "bias")
    return x.builder.node("linear", [x, w, b], name)


def batch_norm(
    x: Tensor, mean: Array, var: Array, weight: Array | None = None, bias: Array | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x - mean) / sqrt(var + eps) * weight + bias, per channel (axis 1)."""
    given = {"running_mean": mean, "running_var": var, "weight": weight, "bias": bias}
    arrays = [None if a is None else x.builder.constant(a, name) for name, a in given.items()]
    return x.builder.node("batch_norm", [x, *arrays], eps=float(eps))


def conv_transpose2d(
    x: Tensor,
    weight: Array | Tensor,
    bias: Array | Tensor | None = None,
    stride: IntPair = 1,
    padding: IntPair = 0,
    output_padding: IntPair = 0,
    groups: int = 1,
    dilation: IntPair = 1,
) -> Tensor:
    """As `pyconv.conv_transpose2d`: x (N, C, H, W), weight (C, O // groups, kH, kW), bias (O,)."""
    w = weight if isinstance(weight, Tensor) else x.builder.constant(weight, "weight")
    b = bias if bias is None or isinstance(bias, Tensor) else x.builder.constant(bias, "bias")
    h, v = pair(padding, "padding")
    return x.builder.node(
        "conv_transpose", [x, w, b], stride=pair(stride, "stride"), padding=[h, h, v, v],
        dilation=pair(dilation, "dilation"), output_padding=pair(output_padding, "output_padding"),
        groups=int(groups),
    )  # fmt: skip


def local_response_norm(
    x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """As `pyconv.lrn`: over windows of `size` channels."""
    return x.builder.node("lrn", [x], size=size, alpha=float(alpha), beta=float(beta), k=float(k))


def max_pool2d(
    x: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    dilation: IntPair = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """As `pyconv.max_pool2d`."""
    kernel = pair(kernel_size, "kernel_size")
    return x.builder.node(
        "max_pool", [x], kernel=kernel, stride=kernel if stride is None else pair(stride, "stride"),
        padding=pair(padding, "padding"), dilation=pair(dilation, "dilation"), ceil_mode=int(ceil_mode),
    )  # fmt: skip


def avg_pool2d(
    x: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """As `pyconv.avg_pool2d`."""
    kernel = pair(kernel_size, "kernel_size")
    return x.builder.node(
        "avg_pool", [x], kernel=kernel, stride=kernel if stride is None else pair(stride, "stride"),
        padding=pair(padding, "padding"), ceil_mode=int(ceil_mode),
        count_include_pad=int(count_include_pad), divisor=int(divisor_override or 0),
    )  # fmt: skip


def adaptive_avg_pool2d(x: Tensor, output_size: IntPair) -> Tensor:
    """Averages over windows that tile the image; sizes must divide, or be 1."""
    out = pair(output_size, "output_size")
    height, width = x.shape[2:]
    if out == [1, 1]:
        return x.builder.node("global_avg_pool", [x])
    if out == [height, width]:
        return x
    if height % out[0] or width % out[1]:
        raise ValueError(f"output_size: expected sizes that divide {height}x{width}, got {out[0]}x{out[1]}")
    return avg_pool2d(x, (height // out[0], width // out[1]))


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    return x.builder.node("softmax", [x], axis=dim)


def log_softmax(x: Tensor, dim: int = -1) -> Tensor:
    return x.builder.node("log_softmax", [x], axis=dim)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Side by side along an axis."""
    if not tensors:
        raise ValueError("tensors: expected one or more, got none")
    return tensors[0].builder.node("concat", list(tensors), axis=dim)


concat = cat


def dropout(x: Tensor, p: float = 0.5, training: bool = False) -> Tensor:
    """Inference: x."""
    return x


def _unary(op: str, doc: str) -> Any:
    def function(x: Tensor, inplace: bool = False) -> Tensor:
        return x.builder.node(op, [x])

    function.__name__ = function.__qualname__ = op
    function.__doc__ = doc
    return function


relu = _unary("relu", "max(x, 0)")
relu6 = _unary("relu6", "min(max(x, 0), 6)")
sigmoid = _unary("sigmoid", "1 / (1 + exp(-x))")
hardsigmoid = _unary("hard_sigmoid", "min(max(x + 3, 0), 6) / 6")
silu = _unary("silu", "x sigmoid(x)")
hardswish = _unary("hard_swish", "x hardsigmoid(x)")
tanh = _unary("tanh", "hyperbolic tangent")
softplus = _unary("softplus", "log(1 + exp(x))")
softsign = _unary("softsign", "x / (1 + abs(x))")
mish = _unary("mish", "x tanh(softplus(x)): Misra, arXiv:1908.08681")
selu = _unary("selu", "Klambauer et al., arXiv:1706.02515")


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x times the normal distribution function, or its approximation by tanh."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"approximate: expected 'none' or 'tanh', got {approximate!r}")
    return x.builder.node("gelu" if approximate == "none" else "gelu_tanh", [x])


def leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    return x.builder.node("leaky_relu", [x], alpha=float(negative_slope))


def elu(x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    return x.builder.node("elu", [x], alpha=float(alpha))


def clip(x: Tensor, min: float = -float("inf"), max: float = float("inf")) -> Tensor:
    """min(max(x, min), max)."""
    return x.builder.node("clip", [x], min=float(min), max=float(max))


def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    return clip(x, min_val, max_val)


def prelu(x: Tensor, weight: Array | Tensor) -> Tensor:
    """x where positive, else x times `weight`: one number, or one for each channel (axis 1)."""
    w = weight if isinstance(weight, Tensor) else x.builder.constant(weight, "weight")
    return x.builder.node("prelu", [x, w.reshape(-1, *(1,) * max(0, x.ndim - 2)) if x.ndim > 2 else w])


def celu(x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    return x.builder.node("celu", [x], alpha=float(alpha))


def pad(x: Tensor, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """torch's: (left, right, top, bottom, ...), the last axis first; constant, reflect or replicate."""
    modes = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in modes:
        raise ValueError(f"mode: expected one of {', '.join(modes)}, got {mode!r}")
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad: expected two numbers for each of up to {x.ndim} axes, got {tuple(pad)}")
    before, after = [0] * x.ndim, [0] * x.ndim
    for i in range(len(pad) // 2):
        before[-1 - i], after[-1 - i] = int(pad[2 * i]), int(pad[2 * i + 1])
    return x.builder.node("pad", [x], pads=before + after, mode=modes[mode], value=float(value))


def interpolate(
    x: Tensor,
    size: IntPair | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Tensor:
    """Images resized, by nearest, bilinear or bicubic interpolation, with torch's coordinates."""
    rules: dict[str, dict[str, Any]] = {
        "nearest": {"mode": "nearest", "coordinates": "asymmetric", "nearest_mode": "floor"},
        "nearest-exact": {
            "mode": "nearest",
            "coordinates": "half_pixel",
            "nearest_mode": "round_prefer_ceil",
        },
        "bilinear": {"mode": "linear", "coordinates": "half_pixel"},
        "bicubic": {"mode": "cubic", "coordinates": "half_pixel", "cubic_a": -0.75},
    }
    if mode not in rules:
        raise ValueError(f"mode: expected one of {', '.join(rules)}, got {mode!r}")
    if (size is None) == (scale_factor is None):
        raise ValueError("size, scale_factor: expected one of them")
    rule = dict(rules[mode])
    if align_corners:
        rule["coordinates"] = "align_corners"
    if size is not None:
        sizes = pair(size, "size")
    else:
        factors = [scale_factor] * 2 if isinstance(scale_factor, int | float) else list(scale_factor or ())
        sizes = [int(n * f) for n, f in zip(x.shape[2:], factors)]
        rule["scales"] = [1.0, 1.0, *(float(f) for f in factors)]
    return x.builder.node("resize", [x], sizes=[*x.shape[:2], *sizes], **rule)


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """(N, C r r, H, W) to (N, C, H r, W r). Shi et al., arXiv:1609.05158."""
    n, c, h, w = x.shape
    r = upscale_factor
    if r < 1 or c % (r * r):
        raise ValueError(f"upscale_factor: expected r with {c} channels divisible by r r, got {r}")
    y = x.reshape(n, c // (r * r), r, r, h, w).permute(0, 1, 4, 2, 5, 3)
    return y.reshape(n, c // (r * r), h * r, w * r)


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Channel g C/groups + i goes to i groups + g. Zhang et al., arXiv:1707.01083."""
    n, c, *size = x.shape
    if groups < 1 or c % groups:
        raise ValueError(f"groups: expected a divisor of {c} channels, got {groups}")
    return x.reshape(n, groups, c // groups, *size).permute(0, 2, 1, *range(3, x.ndim + 1)).reshape(*x.shape)


def instance_norm(
    x: Tensor, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> Tensor:
    """Every channel of every image by its own mean and variance. Ulyanov et al., arXiv:1607.08022."""
    channels = x.shape[1]
    given = (np.ones(channels, np.float32) if weight is None else weight,
             np.zeros(channels, np.float32) if bias is None else bias)  # fmt: skip
    constants = [x.builder.constant(a, n) for a, n in zip(given, ("weight", "bias"))]
    return x.builder.node("instance_norm", [x, *constants], eps=float(eps))


def _method(function: Any) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        result: Tensor = function(self, *args, **kwargs)
        return result

    method.__name__ = function.__name__
    method.__doc__ = function.__doc__
    return method


for _function in (relu, relu6, sigmoid, silu, tanh, softmax, log_softmax):
    setattr(Tensor, _function.__name__, _method(_function))
