"""A convolution engine for CPUs that shows its work."""

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

__all__ = [
    "AlgorithmEntry",
    "Conv2dPlan",
    "Conv2dProblem",
    "ConvTranspose2dPlan",
    "Kernel",
    "LinearPlan",
    "OutputSize",
    "__version__",
    "add",
    "algorithms",
    "avg_pool2d",
    "batch_norm",
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
    "log_softmax",
    "lrn",
    "max_pool2d",
    "mul",
    "nchw_to_nhwc",
    "nhwc_to_nchw",
    "pad",
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
