"""A convolution engine for CPUs that shows its work."""

from importlib import import_module as _import_module
from typing import Any as _Any

from pyconv._version import __version__

try:
    from pyconv import _core as _core
except ImportError as error:  # the source tree, or a build without a compiler
    raise ImportError(
        f"pyconv's compiled core cannot be imported from {__path__[0]}: {error}. If this is the "
        "source tree, install the package ('pip install .' and work from another folder, or "
        "'pip install -e .')."
    ) from error

from pyconv._core import Conv2dProblem
from pyconv.config import Kernel, kernels, show_config
from pyconv.ops.activation import (
    elu,
    gelu,
    hard_sigmoid,
    hard_swish,
    leaky_relu,
    prelu,
    relu,
    relu6,
    sigmoid,
    silu,
    tanh,
)
from pyconv.ops.conv import (
    AlgorithmEntry,
    Conv2dPlan,
    algorithms,
    conv2d,
    depthwise_conv2d,
    problem_from_shapes,
)
from pyconv.ops.elementwise import add, mul
from pyconv.ops.image import concat, pad, resize
from pyconv.ops.layout import nchw_to_nhwc, nhwc_to_nchw
from pyconv.ops.linear import LinearPlan, linear
from pyconv.ops.normalization import batch_norm, log_softmax, lrn, softmax
from pyconv.ops.pooling import avg_pool2d, global_avg_pool2d, global_max_pool2d, max_pool2d
from pyconv.ops.separable import separable_conv2d
from pyconv.ops.sizes import OutputSize, conv_output_size
from pyconv.ops.transposed import ConvTranspose2dPlan, conv_transpose2d

_LAZY = {
    "Model": "pyconv.model",
    "backend": "pyconv.backend",
    "compile": "pyconv.model",
    "formats": "pyconv.formats",
    "graph": "pyconv.graph",
    "load": "pyconv.model",
    "nn": "pyconv.nn",
    "passes": "pyconv.model",
    "preprocess": "pyconv.preprocess",
    "zoo": "pyconv.zoo",
}


def __getattr__(name: str) -> _Any:
    """Networks are imported when they are asked for: `import pyconv` stays quick."""
    if name not in _LAZY:
        raise AttributeError(f"module 'pyconv' has no attribute {name!r}")
    module = _import_module(_LAZY[name])
    value = module if _LAZY[name] == f"pyconv.{name}" else getattr(module, name)
    globals()[name] = value
    return value


__all__ = [
    "AlgorithmEntry",
    "Conv2dPlan",
    "Conv2dProblem",
    "ConvTranspose2dPlan",
    "Kernel",
    "LinearPlan",
    "Model",
    "OutputSize",
    "__version__",
    "add",
    "algorithms",
    "avg_pool2d",
    "batch_norm",
    "compile",
    "concat",
    "conv2d",
    "conv_output_size",
    "conv_transpose2d",
    "depthwise_conv2d",
    "elu",
    "gelu",
    "global_avg_pool2d",
    "global_max_pool2d",
    "hard_sigmoid",
    "hard_swish",
    "kernels",
    "leaky_relu",
    "linear",
    "load",
    "log_softmax",
    "lrn",
    "max_pool2d",
    "mul",
    "nchw_to_nhwc",
    "nhwc_to_nchw",
    "nn",
    "pad",
    "passes",
    "prelu",
    "problem_from_shapes",
    "relu",
    "relu6",
    "resize",
    "separable_conv2d",
    "show_config",
    "sigmoid",
    "silu",
    "softmax",
    "tanh",
]
