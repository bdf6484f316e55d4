"""compile() and Model: a network made ready for one set of shapes, callable on numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv import _core
from pyconv.graph import GraphBuilder
from pyconv.nn.module import Module, trace

Array = npt.NDArray[Any]
Shape = Sequence[int]


class Model:
    """A network compiled: immutable, and safe to call from several threads at once.

    Made by `pyconv.compile`. Call it with the inputs in order, by name, or as one dict; it returns an
    array, or a tuple of them where the network has several outputs.

    >>> import numpy as np, pyconv
    >>> from pyconv import nn
    >>> model = pyconv.compile(nn.Conv2d(3, 4, 3, padding=1), (1, 3, 8, 8))
    >>> model.input_shapes, model.output_shapes
    ({'input': (1, 3, 8, 8)}, {'output': (1, 4, 8, 8)})
    >>> [step["op"] for step in model.describe()["steps"]][:1]
    ['conv']
    """

    def __init__(self, core: _core.Model, options: dict[str, Any]) -> None:
        self._core = core
        self._options = options
        graph = core.graph
        values = [graph.value(i) for i in graph.inputs]
        self._inputs = tuple(v[0] for v in values)
        self._shapes = {v[0]: tuple(v[2]) for v in values}
        self._outputs = tuple(graph.output_names)
        self._output_shapes = {
            name: tuple(graph.value(i)[2]) for name, i in zip(self._outputs, graph.outputs)
        }

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the inputs by name, in order."""
        return dict(self._shapes)

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the outputs by name, in order."""
        return dict(self._output_shapes)

    @property
    def arena_bytes(self) -> int:
        """Bytes of the one block that holds every intermediate and all scratch of a run."""
        return self._core.arena_bytes

    @property
    def weight_bytes(self) -> int:
        """Bytes of packed weights and of constants that runs read."""
        return self._core.weight_bytes

    def _arrays(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> Sequence[Any]:
        if len(inputs) == len(self._inputs) and not named and not isinstance(inputs[0], Mapping):
            return inputs
        given = dict(zip(self._inputs, inputs))
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            given = dict(inputs[0])
        elif len(inputs) > len(self._inputs):
            raise ValueError(f"inputs: expected {len(self._inputs)}, got {len(inputs)}")
        for name, value in named.items():
            if name in given:
                raise ValueError(f"{name}: given twice")
            given[name] = value
        missing = [name for name in self._inputs if name not in given]
        unknown = [name for name in given if name not in self._shapes]
        if missing or unknown:
            raise ValueError(
                f"inputs: expected {', '.join(self._inputs)}; missing {missing}, unknown {unknown}"
            )
        return [given[name] for name in self._inputs]

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Runs the network on arrays of the compiled shapes and dtypes."""
        results = self._core.run(self._arrays(inputs, named), None)
        return results[0] if len(results) == 1 else tuple(results)

    def run(self, *inputs: Any, out: Any = None, **named: Any) -> Any:
        """As a call, into `out`: an array, or a sequence of them where there are several outputs.

        `out` is C-contiguous, of the output's shape and dtype, and overlaps no input.
        """
        if isinstance(out, np.ndarray):
            out = [out]
        results = self._core.run(self._arrays(inputs, named), out)
        return results[0] if len(results) == 1 else tuple(results)

    def warmup(self, runs: int = 3) -> Model:
        """Runs on zeros, so that the first real call finds everything in place."""
        graph = self._core.graph
        arrays = [np.zeros(graph.value(i)[2], graph.value(i)[1]) for i in graph.inputs]
        for _ in range(runs):
            self._core.run(arrays, None)
        return self

    def profile(self, *inputs: Any, rounds: int = 20, **named: Any) -> list[dict[str, Any]]:
        """Seconds of every step: the steps of `describe` with ``seconds`` (median) and ``best``.

        Without inputs it runs on zeros.
        """
        if not inputs and not named:
            graph = self._core.graph
            arrays: Sequence[Any] = [np.zeros(graph.value(i)[2], graph.value(i)[1]) for i in graph.inputs]
        else:
            arrays = self._arrays(inputs, named)
        seconds = self._core.profile(arrays, max(1, rounds))
        steps = self._core.steps()
        for step, column in zip(steps, seconds.T):
            step["seconds"], step["best"] = float(np.median(column)), float(column.min())
        return steps

    def describe(self) -> dict[str, Any]:
        """Everything that was decided, as data: inputs, outputs, passes, steps, memory."""
        return {
            "inputs": self.input_shapes,
            "outputs": self.output_shapes,
            "options": dict(self._options),
            "rewrites": self._core.rewrites(),
            "steps": self._core.steps(),
            "arena_bytes": self.arena_bytes,
            "weight_bytes": self.weight_bytes,
        }

    def __repr__(self) -> str:
        inputs = ", ".join(f"{n} {s}" for n, s in self._shapes.items())
        outputs = ", ".join(f"{n} {s}" for n, s in self._output_shapes.items())
        return f"Model({inputs} -> {outputs}, arena {self.arena_bytes} bytes)"


def _input_shapes(shape: Any) -> dict[str, tuple[int, ...]]:
    if isinstance(shape, Mapping):
        named = {str(name): shape[name] for name in shape}
    elif len(shape) and all(isinstance(s, tuple | list) for s in shape):
        named = {("input" if len(shape) == 1 else f"input{i}"): s for i, s in enumerate(shape)}
    else:
        named = {"input": shape}
    result = {}
    for name, sizes in named.items():
        if not all(isinstance(s, int | np.integer) and s >= 0 for s in sizes):
            raise ValueError(f"input_shape: expected sizes of 0 or more for '{name}', got {sizes!r}")
        result[name] = tuple(int(s) for s in sizes)
    return result


def compile(
    net: Module | GraphBuilder,
    input_shape: Shape | Mapping[str, Shape] | Sequence[Shape] | None = None,
    *,
    threads: int | None = 1,
    accuracy: str = "fast",
    algorithms: Mapping[str, str] | None = None,
    without: Sequence[str] = (),
    max_isa: str | None = None,
) -> Model:
    """Plans a network for inputs of given shapes: passes, layouts, algorithms, packed weights, memory.

    Args:
        net: a `pyconv.nn.Module`, or a recorded graph (whose shapes are known).
        input_shape: ``(N, C, H, W)``; several inputs: a list of shapes, or a dict by name.
        threads: at most so many; None: the CPUs this process may use.
        accuracy: "fast", or "exact" for the same bits on every machine and with any threads.
        algorithms: forces an algorithm by the name of a convolution, ``{"conv3": "im2col"}``.
        without: names of passes to leave out; `pyconv.passes` lists them.
        max_isa: "scalar", "avx2", "avx512" or "neon": nothing beyond.

    Raises:
        ValueError: what the network can't be made for, naming the node.

    >>> import numpy as np, pyconv
    >>> from pyconv import nn
    >>> model = pyconv.compile(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), (1, 3, 8, 8))
    >>> model(np.zeros((1, 3, 8, 8), np.float32)).shape
    (1, 4, 6, 6)
    """
    if isinstance(net, GraphBuilder):
        builder = net
    elif isinstance(net, Module):
        if input_shape is None:
            raise ValueError("input_shape: expected the shape of the network's input, got None")
        builder = trace(net, _input_shapes(input_shape))
    else:
        raise TypeError(f"net: expected a Module or a GraphBuilder, got {type(net).__name__}")
    core = _core.Model(builder.graph, accuracy, threads, max_isa, dict(algorithms or {}), list(without))
    options = {"threads": threads, "accuracy": accuracy, "algorithms": dict(algorithms or {})}
    return Model(core, {**options, "without": list(without), "max_isa": max_isa})


def passes() -> list[tuple[str, str, bool]]:
    """The passes over the graph in order: name, what it does, and whether exact results stay the same.

    >>> import pyconv
    >>> [name for name, _, _ in pyconv.passes()][:2]
    ['drop_identities', 'fold_constants']
    """
    return _core.passes()
