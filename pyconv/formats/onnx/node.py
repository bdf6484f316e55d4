"""One node of the model as its builder sees it: typed attributes, inputs, and the nodes it becomes.

What a builder did not look at was not understood: attributes and inputs that are present but were
never asked for make the node refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyconv.formats.onnx import proto
from pyconv.graph import GraphBuilder, Tensor

if TYPE_CHECKING:
    from pyconv.formats.onnx.importer import Values

Array = npt.NDArray[Any]
Built = Tensor | Array | Sequence[Tensor | Array | None]
Builder = Callable[["Node"], Built]

_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS = 1, 2, 3, 4, 6, 7


class Node:
    """A NodeProto, its inputs found."""

    def __init__(self, message: Any, opset: int, values: Values, builder: GraphBuilder) -> None:
        self.message = message
        self.opset = opset
        self.builder = builder
        self.name = message.name or (message.output[0] if message.output else message.op_type)
        self._values = values
        self._attributes = {a.name: a for a in message.attribute}
        self._asked: set[str] = set()
        self._read: set[int] = set()

    # -- attributes

    def _attribute(self, name: str, kind: int) -> Any:
        self._asked.add(name)
        found = self._attributes.get(name)
        if found is None:
            return None
        if found.ref_attr_name:
            self.fail(f"attribute '{name}' refers to one of a function")
        if found.type != kind:
            self.fail(f"attribute '{name}': expected another type")
        return found

    def has(self, name: str) -> bool:
        return name in self._attributes

    def ignore(self, *names: str) -> None:
        """Attributes that say nothing about results."""
        self._asked.update(names)

    def integer(self, name: str, otherwise: int | None = None) -> int:
        found = self._attribute(name, _INT)
        if found is None and otherwise is None:
            self.fail(f"attribute '{name}' is missing")
        return otherwise if found is None else int(found.i)  # type: ignore[return-value]

    def number(self, name: str, otherwise: float) -> float:
        found = self._attribute(name, _FLOAT)
        return otherwise if found is None else float(found.f)

    def text(self, name: str, otherwise: str) -> str:
        found = self._attribute(name, _STRING)
        return otherwise if found is None else bytes(found.s).decode("utf-8", "replace")

    def integers(self, name: str) -> list[int] | None:
        found = self._attribute(name, _INTS)
        return None if found is None else [int(i) for i in found.ints]

    def numbers(self, name: str) -> list[float] | None:
        found = self._attribute(name, _FLOATS)
        return None if found is None else [float(f) for f in found.floats]

    def tensor(self, name: str) -> Array | None:
        found = self._attribute(name, _TENSOR)
        if found is None:
            return None
        return proto.tensor_array(found.t, self._values.folder, f"attribute '{name}'")

    # -- inputs

    @property
    def inputs(self) -> int:
        """How many there are, absent ones at the end not counted."""
        names = list(self.message.input)
        while names and not names[-1]:
            names.pop()
        return len(names)

    @property
    def outputs(self) -> int:
        names = list(self.message.output)
        while names and not names[-1]:
            names.pop()
        return len(names)

    def given(self, i: int) -> bool:
        return i < len(self.message.input) and bool(self.message.input[i])

    def skip(self, *inputs: int) -> None:
        """Inputs that say nothing about results."""
        self._read.update(inputs)

    def x(self, i: int = 0) -> Tensor:
        """Input i as a tensor of the graph."""
        self._read.add(i)
        if not self.given(i):
            self.fail(f"input {i} is missing")
        return self._values.tensor(self.message.input[i], self.builder)

    def optional(self, i: int) -> Tensor | None:
        return self.x(i) if self.given(i) else None

    def array(self, i: int) -> Array | None:
        """Input i where it is known while the graph is built, else None."""
        self._read.add(i)
        return self._values.array(self.message.input[i], self.builder) if self.given(i) else None

    def constant(self, i: int, what: str) -> Array:
        """Input i, which must be known while the graph is built."""
        found = self.array(i)
        if found is None:
            if not self.given(i):
                self.fail(f"input {i} ({what}) is missing")
            self._values.need_constant(self.message.input[i], what)
        return found  # type: ignore[return-value]

    def constant_ints(self, i: int, what: str) -> list[int]:
        array = self.constant(i, what)
        if array.dtype.kind not in "iu" or array.ndim > 1:
            self.fail(f"{what}: expected a list of integers, got {array.dtype} of shape {array.shape}")
        return [int(v) for v in array.reshape(-1)]

    def ints_since(self, opset: int, attribute: str, input: int, what: str) -> list[int] | None:
        """A list that was an attribute and became an input in `opset`."""
        if self.opset < opset:
            return self.integers(attribute)
        return self.constant_ints(input, what) if self.given(input) else None

    # -- results

    def op(self, op: str, inputs: Iterable[Tensor | Array | None], **attributes: Any) -> Tensor:
        """A node of the graph; computed at once where its inputs are known."""
        (output,) = self.ops(op, inputs, **attributes)
        return output

    def ops(self, op: str, inputs: Iterable[Tensor | Array | None], **attributes: Any) -> list[Tensor]:
        tensors = [self.builder.constant(i, self.name) if isinstance(i, np.ndarray) else i for i in inputs]
        outputs = self.builder.nodes(op, tensors, self.name, self._values.room, **attributes)
        for output in outputs:
            self._values.made[output.id] = op, tensors, attributes
            if output.is_constant and op not in ("reshape", "identity"):
                self._values.claim(output.shape, output.dtype)
        return outputs

    def known(self, x: Tensor | None) -> Array:
        """The numbers of a constant."""
        assert x is not None
        return np.asarray(self.builder.graph.constant(x.id))

    def made_of(self, x: Tensor) -> tuple[str, Sequence[Tensor | None], Any]:
        """The operator of the graph that made a tensor, its inputs and attributes."""
        return self._values.made.get(x.id, ("", (), {}))

    def reshaped(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        return self.op("reshape", [x], shape=[int(s) for s in shape])

    def full(self, shape: Sequence[int], value: Any, dtype: Any) -> Array:
        """A constant array, of bounded size."""
        self.claim(shape, dtype)
        return np.full(shape, value, dtype)

    def claim(self, shape: Sequence[int], dtype: Any) -> None:
        """Refuses a constant that is to be made where all of them together would take too much."""
        self._values.claim(shape, dtype)

    def fail(self, why: str) -> None:
        raise ValueError(why)

    def check_all_used(self, results: int) -> None:
        """Refuses what the builder did not look at."""
        for name in self._attributes:
            if name not in self._asked:
                self.fail(f"attribute '{name}' is not supported")
        for i in range(self.inputs):
            if self.given(i) and i not in self._read:
                self.fail(f"input {i} is not supported")
        for i, name in enumerate(self.message.output):
            if name and i >= results:
                self.fail(f"output {i} is not supported")
