"""The compiled core. The functions of the pyconv package document and validate what they pass on."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[np.float32]
_Ints = int | Sequence[int]
_Padding = int | str | Sequence[int]
_Verdict = tuple[str, bool, str, float, int]

__version__: str

def kernels() -> list[dict[str, Any]]: ...
def cpu_info() -> dict[str, Any]: ...
def config() -> dict[str, Any]: ...
def probe_isas() -> list[str]: ...
def probe_fma(isa: str, seconds: float) -> list[float]: ...
def probe_bandwidth(isa: str, kind: str, bytes: int, seconds: float) -> list[float]: ...
def probe_clock(seconds: float) -> list[float]: ...
def conv_transpose2d(
    x: _Array,
    weight: _Array,
    bias: _Array | None,
    stride: _Ints,
    padding: _Ints,
    output_padding: _Ints,
    dilation: _Ints,
    groups: int,
    activation: str | None,
    accuracy: str,
    layout: str,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    kernel: str | None,
    /,
) -> _Array: ...
def linear(
    x: _Array,
    weight: _Array,
    bias: _Array | None,
    activation: str | None,
    accuracy: str,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    kernel: str | None,
    /,
) -> _Array: ...
def max_pool2d(
    x: _Array,
    kernel_size: _Ints,
    stride: _Ints | None,
    padding: _Ints,
    dilation: _Ints,
    ceil_mode: bool,
    layout: str,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    kernel: str | None,
    /,
) -> _Array: ...
def avg_pool2d(
    x: _Array,
    kernel_size: _Ints,
    stride: _Ints | None,
    padding: _Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    layout: str,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    kernel: str | None,
    /,
) -> _Array: ...
def global_max_pool2d(
    x: _Array,
    layout: str,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    kernel: str | None,
    /,
) -> _Array: ...
def global_avg_pool2d(
    x: _Array,
    layout: str,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    kernel: str | None,
    /,
) -> _Array: ...
def nchw_to_nhwc(
    x: _Array, out: _Array | None, threads: int | None, max_isa: str | None, kernel: str | None, /
) -> _Array: ...
def nhwc_to_nchw(
    x: _Array, out: _Array | None, threads: int | None, max_isa: str | None, kernel: str | None, /
) -> _Array: ...
def conv2d(
    x: _Array,
    weight: _Array,
    bias: _Array | None,
    stride: _Ints,
    padding: _Padding,
    dilation: _Ints,
    groups: int,
    activation: str | None,
    algorithm: str,
    accuracy: str,
    layout: str,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    kernel: str | None,
    tolerance: float,
    /,
) -> _Array: ...
def algorithms(
    problem: Conv2dProblem,
    weight: _Array | None,
    activation: str | None,
    accuracy: str,
    layout: str,
    threads: int | None,
    max_isa: str | None,
    kernel: str | None,
    tolerance: float,
    /,
) -> list[_Verdict]: ...

def activate(
    x: _Array,
    name: str,
    alpha: float,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    /,
) -> _Array: ...
def add(
    a: _Array, b: _Array | float, out: _Array | None, threads: int | None, max_isa: str | None, /
) -> _Array: ...
def mul(
    a: _Array, b: _Array | float, out: _Array | None, threads: int | None, max_isa: str | None, /
) -> _Array: ...
def softmax(
    x: _Array,
    axis: int,
    log: bool,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    /,
) -> _Array: ...
def batch_norm(
    x: _Array,
    mean: _Array,
    var: _Array,
    weight: _Array | None,
    bias: _Array | None,
    eps: float,
    layout: str,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    /,
) -> _Array: ...
def lrn(
    x: _Array,
    size: int,
    alpha: float,
    beta: float,
    k: float,
    layout: str,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    /,
) -> _Array: ...
def concat(
    arrays: Sequence[_Array], axis: int, out: _Array | None, threads: int | None, /
) -> _Array: ...
def pad(
    x: _Array,
    padding: _Ints,
    mode: str,
    value: float,
    layout: str,
    out: _Array | None,
    threads: int | None,
    /,
) -> _Array: ...
def resize(
    x: _Array,
    size: _Ints | None,
    scale_factor: float | Sequence[float] | None,
    mode: str,
    align_corners: bool,
    layout: str,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    /,
) -> _Array: ...
def eltwise_kernel(
    row: str, src: _Array, p: _Array, q: _Array, out: _Array | None, /
) -> _Array: ...
def prelu(
    x: _Array,
    weight: _Array,
    layout: str,
    out: _Array | None,
    threads: int | None,
    max_isa: str | None,
    /,
) -> _Array: ...

def _run_conv2d(
    problem: Conv2dProblem,
    weight: _Array,
    bias: _Array | None,
    src: _Array,
    dst: _Array,
    residual: _Array | None,
    options: dict[str, Any],
    /,
) -> str: ...
def _run_pool2d(
    kind: str,
    shape: Sequence[int],
    kernel: int,
    stride: int,
    padding: int,
    src: _Array,
    dst: _Array,
    options: dict[str, Any],
    /,
) -> None: ...

class Conv2dProblem:
    def __init__(self, text: str) -> None: ...
    @staticmethod
    def _from_shapes(
        x_shape: Sequence[int],
        weight_shape: Sequence[int],
        stride: _Ints,
        padding: _Padding,
        dilation: _Ints,
        groups: int,
        /,
    ) -> Conv2dProblem: ...
    def __hash__(self) -> int: ...
    @property
    def mb(self) -> int: ...
    @property
    def g(self) -> int: ...
    @property
    def ic(self) -> int: ...
    @property
    def oc(self) -> int: ...
    @property
    def ih(self) -> int: ...
    @property
    def iw(self) -> int: ...
    @property
    def oh(self) -> int: ...
    @property
    def ow(self) -> int: ...
    @property
    def kh(self) -> int: ...
    @property
    def kw(self) -> int: ...
    @property
    def sh(self) -> int: ...
    @property
    def sw(self) -> int: ...
    @property
    def dh(self) -> int: ...
    @property
    def dw(self) -> int: ...
    @property
    def pt(self) -> int: ...
    @property
    def pl(self) -> int: ...
    @property
    def pb(self) -> int: ...
    @property
    def pr(self) -> int: ...
    @property
    def macs(self) -> int: ...
    @property
    def src_size(self) -> int: ...
    @property
    def dst_size(self) -> int: ...
    @property
    def weight_size(self) -> int: ...

class Conv2dPlan:
    def __init__(
        self,
        problem: Conv2dProblem,
        weight: _Array,
        bias: _Array | None,
        activation: str | None,
        algorithm: str,
        accuracy: str,
        layout: str,
        threads: int | None,
        max_isa: str | None,
        kernel: str | None,
        tolerance: float,
        /,
    ) -> None: ...
    def __call__(self, x: _Array, out: _Array | None = None) -> _Array: ...
    @property
    def problem(self) -> Conv2dProblem: ...
    @property
    def algorithm(self) -> str: ...
    @property
    def kernels(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def workspace_bytes(self) -> int: ...
    @property
    def packed_bytes(self) -> int: ...
    def _candidates(self) -> list[_Verdict]: ...

class LinearPlan:
    def __init__(
        self,
        weight: _Array,
        bias: _Array | None,
        activation: str | None,
        accuracy: str,
        threads: int | None,
        max_isa: str | None,
        kernel: str | None,
        /,
    ) -> None: ...
    def __call__(self, x: _Array, out: _Array | None = None) -> _Array: ...
    @property
    def in_features(self) -> int: ...
    @property
    def out_features(self) -> int: ...
    @property
    def kernels(self) -> str: ...
    @property
    def packed_bytes(self) -> int: ...

class ConvTranspose2dPlan:
    def __init__(
        self,
        x_shape: Sequence[int],
        weight: _Array,
        bias: _Array | None,
        stride: _Ints,
        padding: _Ints,
        output_padding: _Ints,
        dilation: _Ints,
        groups: int,
        activation: str | None,
        accuracy: str,
        layout: str,
        threads: int | None,
        max_isa: str | None,
        kernel: str | None,
        /,
    ) -> None: ...
    def __call__(self, x: _Array, out: _Array | None = None) -> _Array: ...
    @property
    def macs(self) -> int: ...
    @property
    def kernels(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def workspace_bytes(self) -> int: ...
    @property
    def packed_bytes(self) -> int: ...

class Graph:
    def __init__(self) -> None: ...
    def add_input(self, name: str, dtype: str, shape: Sequence[int]) -> int: ...
    def add_constant(self, name: str, array: npt.NDArray[Any], copy: bool = True) -> int: ...
    def add_node(
        self,
        op: str,
        inputs: Sequence[int],
        attributes: dict[str, Any],
        name: str = "",
        fold: int = 0,
    ) -> list[int]: ...
    def set_outputs(self, values: Sequence[int], names: Sequence[str], /) -> None: ...
    def value(self, id: int, /) -> tuple[str, str, tuple[int, ...], bool]: ...
    def constant(self, id: int, /) -> npt.NDArray[Any]: ...
    def nodes(self) -> list[dict[str, Any]]: ...
    @property
    def inputs(self) -> list[int]: ...
    @property
    def outputs(self) -> list[int]: ...
    @property
    def output_names(self) -> list[str]: ...

class Model:
    def __init__(
        self,
        graph: Graph,
        accuracy: str,
        threads: int | None,
        max_isa: str | None,
        algorithms: dict[str, str],
        without: Sequence[str],
        memory_limit: int | None,
        release_weights: bool,
        /,
    ) -> None: ...
    def run(self, inputs: Sequence[Any], out: Sequence[Any] | None, /) -> list[npt.NDArray[Any]]: ...
    def runner(self) -> Callable[[tuple[Any, ...], Any], Any]: ...
    def profile(self, inputs: Sequence[Any], rounds: int, /) -> npt.NDArray[np.float64]: ...
    def steps(self) -> list[dict[str, Any]]: ...
    def rewrites(self) -> list[tuple[str, str]]: ...
    @property
    def arena_bytes(self) -> int: ...
    @property
    def images(self) -> int: ...
    @property
    def image_threads(self) -> int: ...
    @property
    def weight_bytes(self) -> int: ...
    @property
    def graph(self) -> Graph: ...

def load_model_file(path: str, /) -> tuple[Graph, dict[str, str]]: ...
def parse_model_bytes(data: bytes, /) -> tuple[Graph, dict[str, str]]: ...
def ops() -> list[dict[str, Any]]: ...
def passes() -> list[tuple[str, str, bool]]: ...
