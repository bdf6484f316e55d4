"""Symbolic tensors: ordinary Python over them records a graph.

A `Tensor` stands for a value of a `GraphBuilder`'s graph. Its shape is known at once, its numbers when
the compiled network runs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv import _core
from pyconv.preprocess import Recipe, recipe

Array = npt.NDArray[Any]
Operand = "Tensor | Array | float | int"


class GraphBuilder:
    """Records nodes into a graph of the core's.

    Args:
        image_input: a recipe of `pyconv.preprocess`, or its name, that inputs go through.

    >>> from pyconv.graph import GraphBuilder
    >>> builder = GraphBuilder()
    >>> x = builder.input("x", (1, 3, 8, 8))
    >>> y = builder.node("relu", [x])
    >>> y.shape
    (1, 3, 8, 8)
    """

    def __init__(self, *, image_input: Recipe | str | None = None) -> None:
        self.graph = _core.Graph()
        if isinstance(image_input, str):
            image_input = recipe(image_input)
        self._recipe = image_input
        self._scope: list[str] = []
        self._constants: dict[int, tuple[Tensor, Array]] = {}

    def input(self, name: str, shape: Sequence[int], dtype: str = "float32") -> Tensor:
        """A value given when the network runs.

        With ``image_input``, images (N, C, H, W) come in as pictures instead: uint8 (N, H, W, C) in RGB.
        """
        if self._recipe is None or len(shape) != 4 or dtype != "float32":
            return Tensor(self, self.graph.add_input(name, dtype, list(shape)))
        images, channels, height, width = shape
        if channels != self._recipe.channels:
            raise ValueError(
                f"image_input: expected a recipe of {channels} channels for input '{name}', "
                f"got one of {self._recipe.channels}"
            )
        pictures = Tensor(self, self.graph.add_input(name, "uint8", [images, height, width, channels]))
        order = [2, 1, 0] if self._recipe.channel_order == "BGR" else list(range(channels))
        table = self.constant(self._recipe.table(), f"{name}.table")
        return self.node("picture", [pictures, table], f"{name}.picture", order=order)

    def constant(self, array: Array | float | int, name: str = "") -> Tensor:
        """A value known now. The same array twice is one constant; arrays are not copied."""
        array = np.asarray(array)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        known = self._constants.get(id(array))
        if known is not None:
            return known[0]
        name = self._scoped(name or "constant")
        tensor = Tensor(self, self.graph.add_constant(name, array, False))
        self._constants[id(array)] = tensor, array
        return tensor

    def nodes(
        self, op: str, inputs: Sequence[Tensor | None], name: str = "", fold: int = 0, **attributes: Any
    ) -> list[Tensor]:
        """A node of operator `op`; its outputs.

        ``fold``: where all inputs are known it is computed now, if that takes no more bytes than this;
        else it is refused. 0: it stays a node.
        """
        ids = [-1 if i is None else i.id for i in inputs]
        while ids and ids[-1] == -1:
            ids.pop()
        outputs = self.graph.add_node(op, ids, attributes, self._scoped(name), fold)
        return [Tensor(self, output) for output in outputs]

    def node(
        self, op: str, inputs: Sequence[Tensor | None], name: str = "", fold: int = 0, **attributes: Any
    ) -> Tensor:
        """As `nodes`, for operators with one output."""
        (output,) = self.nodes(op, inputs, name, fold, **attributes)
        return output

    def _scoped(self, name: str) -> str:
        return ".".join(part for part in (*self._scope, name) if part)

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names of nodes recorded meanwhile begin with ``name.``."""
        self._scope.append(name)
        try:
            yield
        finally:
            self._scope.pop()

    def outputs(self, tensors: Sequence[Tensor], names: Sequence[str] | None = None) -> None:
        """What a run returns, in this order."""
        if names is None:
            names = ["output"] if len(tensors) == 1 else [f"output{i}" for i in range(len(tensors))]
        self.graph.set_outputs([t.id for t in tensors], list(names))


class Tensor:
    """A value of a graph that is being recorded; behaves like an array of known shape, without numbers."""

    __array_priority__ = 1000

    def __init__(self, builder: GraphBuilder, id: int) -> None:
        self.builder = builder
        self.id = id
        self.name, self.dtype, self.shape, self.is_constant = builder.graph.value(id)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def size(self, axis: int | None = None) -> Any:
        """torch's: the shape, or one of its sizes."""
        return self.shape if axis is None else self.shape[axis]

    def __repr__(self) -> str:
        return f"Tensor({self.name!r}, shape={self.shape}, dtype={self.dtype})"

    def __bool__(self) -> bool:
        raise TypeError(f"the truth of {self!r} is not known while the network is being recorded")

    def _operand(self, other: Any) -> Tensor:
        if isinstance(other, Tensor):
            return other
        return self.builder.constant(np.asarray(other, dtype=self.dtype))

    def _binary(self, op: str, other: Any, swap: bool = False) -> Any:
        if not isinstance(other, Tensor | int | float | np.ndarray | np.generic):
            return NotImplemented
        a, b = self, self._operand(other)
        return self.builder.node(op, [b, a] if swap else [a, b])

    def __add__(self, other: Any) -> Any:
        return self._binary("add", other)

    def __radd__(self, other: Any) -> Any:
        return self._binary("add", other, True)

    def __mul__(self, other: Any) -> Any:
        return self._binary("mul", other)

    def __rmul__(self, other: Any) -> Any:
        return self._binary("mul", other, True)

    def __sub__(self, other: Any) -> Any:
        return self._binary("sub", other)

    def __rsub__(self, other: Any) -> Any:
        return self._binary("sub", other, True)

    def __truediv__(self, other: Any) -> Any:
        return self._binary("div", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._binary("div", other, True)

    def reshape(self, *shape: Any) -> Tensor:
        """torch's: sizes, one of which may be -1."""
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        return self.builder.node("reshape", [self], shape=[int(s) for s in sizes])

    view = reshape

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """The axes from `start_dim` to `end_dim` become one."""
        rank = self.ndim
        first = start_dim + rank if start_dim < 0 else start_dim
        last = end_dim + rank if end_dim < 0 else end_dim
        if not 0 <= first <= last < max(rank, 1):
            raise ValueError(f"start_dim, end_dim: expected axes of {self.shape}, got {start_dim}, {end_dim}")
        middle = int(np.prod(self.shape[first : last + 1], dtype=np.int64))
        return self.reshape(*self.shape[:first], middle, *self.shape[last + 1 :])

    def permute(self, *axes: Any) -> Tensor:
        """torch's: axis i of the result is axis ``axes[i]``."""
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes
        return self.builder.node("transpose", [self], axes=[int(a) for a in order])

    def transpose(self, a: int, b: int) -> Tensor:
        order = list(range(self.ndim))
        order[a], order[b] = order[b], order[a]
        return self.permute(order)

    def contiguous(self) -> Tensor:
        return self

    def mean(self, axis: int | Sequence[int], keepdims: bool = False) -> Tensor:
        """Means over axes; over the two of an image, global average pooling."""
        axes = sorted(a % self.ndim for a in ([axis] if isinstance(axis, int) else axis))
        if self.ndim == 4 and axes == [2, 3]:
            pooled = self.builder.node("global_avg_pool", [self])
            return pooled if keepdims else pooled.reshape(self.shape[0], self.shape[1])
        return self.builder.node("reduce_mean", [self], axes=axes, keepdims=int(keepdims))

    def chunk(self, chunks: int, dim: int = 0) -> list[Tensor]:
        """Equal parts along an axis (the last may be smaller)."""
        axis = dim % self.ndim
        part = -(-self.shape[axis] // chunks)
        starts = range(0, self.shape[axis], part)
        return [self._slice(axis, s, min(s + part, self.shape[axis])) for s in starts]

    def _slice(self, axis: int, start: int, end: int) -> Tensor:
        return self.builder.node("slice", [self], starts=[start], ends=[end], axes=[axis])

    def __getitem__(self, key: Any) -> Tensor:
        """Slices of step 1 or more, whole axes, and ints."""
        keys = key if isinstance(key, tuple) else (key,)
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys = keys[:at] + (slice(None),) * (self.ndim - len(keys) + 1) + keys[at + 1 :]
        starts, ends, steps, axes, dropped = [], [], [], [], []
        for axis, k in enumerate(keys):
            if isinstance(k, int | np.integer):
                k = int(k) + (self.shape[axis] if k < 0 else 0)
                if not 0 <= k < self.shape[axis]:
                    raise IndexError(f"index: expected one within {self.shape}, got {key!r}")
                dropped.append(axis)
                k = slice(k, k + 1)
            if not isinstance(k, slice):
                raise TypeError(f"index: expected ints and slices, got {key!r}")
            start, end, step = k.indices(self.shape[axis])
            if step < 1:
                raise ValueError(f"index: expected a step of 1 or more, got {key!r}")
            if (start, end, step) != (0, self.shape[axis], 1):
                starts.append(start)
                ends.append(end)
                steps.append(step)
                axes.append(axis)
        result = self
        if axes:
            result = self.builder.node("slice", [self], starts=starts, ends=ends, steps=steps, axes=axes)
        if dropped:
            result = result.reshape(*(s for i, s in enumerate(result.shape) if i not in dropped))
        return result


_local = threading.local()


def tracing() -> GraphBuilder | None:
    """The builder that records in this thread, if one does."""
    return getattr(_local, "builder", None)


@contextlib.contextmanager
def recording(builder: GraphBuilder) -> Iterator[GraphBuilder]:
    """Modules called meanwhile record into `builder`."""
    before = tracing()
    _local.builder = builder
    try:
        yield builder
    finally:
        _local.builder = before
