"""compile() and Model: a network made ready for one set of shapes, callable on numpy arrays."""

from __future__ import annotations

import dataclasses
import html
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from pyconv import _core
from pyconv.graph import GraphBuilder
from pyconv.nn.module import Module, trace

if TYPE_CHECKING:
    from pyconv.study.page import Page

Array = npt.NDArray[Any]
Shape = Sequence[int]

_log = logging.getLogger("pyconv")


@dataclass(frozen=True)
class Options:
    """How a network is compiled; the arguments of `compile` by their names."""

    threads: int | None = 1
    accuracy: str = "fast"
    algorithms: dict[str, str] = dataclasses.field(default_factory=dict)
    memory_limit: int | None = None
    without: tuple[str, ...] = ()
    max_isa: str | None = None
    release_weights: bool = False
    tuned: dict[str, str] = dataclasses.field(default_factory=dict)
    """Algorithms that tune=True found, for the CPU named by ``tuned_on`` alone."""
    tuned_on: str = ""

    @property
    def pins(self) -> dict[str, str]:
        """Algorithms by node: the user's, then those tuned on this CPU."""
        tuned = self.tuned if self.tuned_on == cpu_id() else {}
        return {**tuned, **self.algorithms}

    def as_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))

    @staticmethod
    def from_json(text: str, changes: Mapping[str, Any]) -> Options:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"options: {error}") from None
        kinds: dict[str, Any] = {
            "threads": int | None, "accuracy": str, "algorithms": dict, "memory_limit": int | None,
            "without": list, "max_isa": str | None, "release_weights": bool, "tuned": dict, "tuned_on": str,
        }  # fmt: skip
        if not isinstance(found, dict) or not all(
            key in kinds and isinstance(value, kinds[key]) for key, value in found.items()
        ):
            raise ValueError(f"options: expected a JSON object of {', '.join(kinds)}, got {text[:200]}")
        for key in changes:
            if key not in kinds:
                raise TypeError(f"options: expected some of {', '.join(kinds)}, got {key!r}")
        merged = {**found, **changes}
        merged["without"] = tuple(merged.get("without", ()))
        return Options(**merged)


def cpu_id() -> str:
    """What names this CPU in caches and tuned models."""
    info = _core.cpu_info()
    return " ".join(str(info[key]) for key in ("brand", "family", "model", "stepping", "best_isa"))


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

    def __init__(self, graph: _core.Graph, options: Options) -> None:
        core = _core.Model(
            graph, options.accuracy, options.threads, options.max_isa, options.pins,
            list(options.without), options.memory_limit, options.release_weights,
        )  # fmt: skip
        self._core = core
        self._run = core.runner()
        self.options = options
        graph = core.graph
        values = [graph.value(i) for i in graph.inputs]
        self._inputs = tuple(v[0] for v in values)
        self._shapes = {v[0]: tuple(v[2]) for v in values}
        self._outputs = tuple(graph.output_names)
        self._output_shapes = {
            name: tuple(graph.value(i)[2]) for name, i in zip(self._outputs, graph.outputs)
        }

    @property
    def graph(self) -> _core.Graph:
        """The graph that runs: after the passes."""
        return self._core.graph

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
        if not named:
            result = self._run(inputs, None)
            if result is not NotImplemented:
                return result
        results = self._core.run(self._arrays(inputs, named), None)
        return results[0] if len(results) == 1 else tuple(results)

    def run(self, *inputs: Any, out: Any = None, **named: Any) -> Any:
        """As a call, into `out`: an array, or a sequence of them where there are several outputs.

        `out` is C-contiguous, of the output's shape and dtype, and overlaps no input.
        """
        if not named:
            result = self._run(inputs, out)
            if result is not NotImplemented:
                return result
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
        """Everything that was decided, as data: inputs, outputs, passes, steps, memory.

        Where a batch is run image by image, ``images`` says how many there are, ``image_threads`` how many
        run at once, and the steps are those of one image.
        """
        return {
            "inputs": self.input_shapes,
            "outputs": self.output_shapes,
            "options": dataclasses.asdict(self.options),
            "rewrites": self._core.rewrites(),
            "steps": self._core.steps(),
            "images": self._core.images,
            "image_threads": self._core.image_threads,
            "arena_bytes": self.arena_bytes,
            "weight_bytes": self.weight_bytes,
        }

    def report(
        self, path: str | os.PathLike[str] | None = None, *, name: str = "network", measure: bool = True,
        seconds: float = 10.0, against: Model | None = None, ladder: bool = False,
    ) -> Page:  # fmt: skip
        """Why each layer is as fast as it is: one HTML page without any other file, shown in notebooks.

        Args:
            path: where to write it as well.
            name: its title.
            measure: run the model on zeros, and the algorithms that it did not take; else the page predicts.
            seconds: about how long that may take, for each model.
            against: another model that does the same, as with other layers; the page compares the two.
            ladder: also climb from Python loops to Winograd with one layer, for some seconds.

        >>> import pyconv
        >>> from pyconv import nn
        >>> page = pyconv.compile(nn.Conv2d(3, 4, 3), (1, 3, 8, 8)).report(measure=False)
        >>> page.html.startswith("<!DOCTYPE html>")
        True
        """
        from pyconv.study import network, page

        studied = [
            network.study(
                model, name=title, measure=measure, seconds=seconds, ladder=ladder and model is self
            ).as_dict()
            for model, title in ((self, name), (against, "the other")) if model is not None
        ]  # fmt: skip
        made = page.render(*studied)
        if path is not None:
            made.save(path)
        return made

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model file: weights and graph after the passes, and the options of `compile`.

        `pyconv.load` makes the model again, on any machine; what ``tune`` found is used on the CPU
        that it was found on.
        """
        from pyconv.formats import model_file

        model_file.save(path, self.graph, {"pyconv.options": self.options.as_json()})

    def __reduce__(self) -> tuple[Any, ...]:
        from pyconv.formats import model_file

        return _from_bytes, (model_file.dumps(self.graph, {"pyconv.options": self.options.as_json()}),)

    def _repr_html_(self) -> str:
        """The steps as a table, for notebooks."""
        rows = ""
        for step in self._core.steps():
            out = step["outputs"][0]
            cells = [step["name"], step["op"], "x".join(map(str, out["shape"])), f"{step['parameters']:,}",
                     f"{step['macs']:,}", step["algorithm"], step["kernels"]]  # fmt: skip
            rows += "<tr>" + "".join(f"<td>{html.escape(str(c))}</td>" for c in cells) + "</tr>"
        head = "".join(
            f"<th>{h}</th>"
            for h in ("step", "operator", "output", "parameters", "MACs", "algorithm", "kernels")
        )
        return (
            f"<p>{html.escape(repr(self))}</p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )

    def __repr__(self) -> str:
        inputs = ", ".join(f"{n} {s}" for n, s in self._shapes.items())
        outputs = ", ".join(f"{n} {s}" for n, s in self._output_shapes.items())
        return f"Model({inputs} -> {outputs}, arena {self.arena_bytes} bytes)"


def _from_bytes(data: bytes) -> Model:
    graph, metadata = _core.parse_model_bytes(data)
    return Model(graph, Options.from_json(metadata.get("pyconv.options", "{}"), {}))


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


class Network(Protocol):
    """What `load` returns for a file of another format: it builds its graph for given shapes."""

    def graph_for(self, shapes: dict[str, tuple[int, ...]] | None, builder: GraphBuilder) -> GraphBuilder:
        """Records into `builder`; `shapes` by input name, None for those that the file states."""


def compile(
    net: Module | Network | GraphBuilder | Model,
    input_shape: Shape | Mapping[str, Shape] | Sequence[Shape] | None = None,
    *,
    threads: int | None = 1,
    accuracy: str = "fast",
    algorithms: Mapping[str, str] | None = None,
    memory_limit: int | None = None,
    tune: bool = False,
    image_input: Any = None,
    without: Sequence[str] = (),
    max_isa: str | None = None,
    release_weights: bool = False,
) -> Model:
    """Plans a network for inputs of given shapes: passes, layouts, algorithms, packed weights, memory.

    Args:
        net: a `pyconv.nn.Module`, what `pyconv.load` returns, a `Model` to be compiled anew, or a
            recorded graph; the last two have their shapes already.
        input_shape: ``(N, C, H, W)``; several inputs: a list of shapes, or a dict by name.
        threads: at most so many; None: the CPUs this process may use.
        accuracy: "fast", or "exact" for the same bits on every machine and with any threads.
        algorithms: forces an algorithm by the name of a convolution, ``{"conv3": "im2col"}``.
        memory_limit: bytes that the arena may take; algorithms with less workspace are chosen to fit.
        tune: measure the algorithms of every convolution on this machine, for some seconds; what is
            kept is never slower than the default, as measured.
        image_input: a recipe of `pyconv.preprocess` (or its name): the model takes uint8 pictures
            (N, H, W, C), with scaling, mean, std and channel order applied inside.
        without: names of passes to leave out; `pyconv.passes` lists them.
        max_isa: "scalar", "avx2", "avx512" or "neon": nothing beyond.
        release_weights: keep packed weights alone. The model cannot be saved, pickled or compiled
            anew then; what `net` itself holds is freed when `net` is.

    Raises:
        ValueError: what the network can't be made for, naming the node; a memory_limit below the
            least possible, naming that.

    >>> import numpy as np, pyconv
    >>> from pyconv import nn
    >>> model = pyconv.compile(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), (1, 3, 8, 8))
    >>> model(np.zeros((1, 3, 8, 8), np.float32)).shape
    (1, 4, 6, 6)
    """
    options = Options(
        threads, accuracy, dict(algorithms or {}), memory_limit, tuple(without), max_isa, release_weights
    )
    graph = _graph_of(net, input_shape, image_input)
    started = time.perf_counter()
    model = Model(graph, options)
    _log.info("compiled %r in %.1f ms", model, 1e3 * (time.perf_counter() - started))
    if not tune:
        return model
    from pyconv.tuning import tuned

    return tuned(model, graph)


def _graph_of(net: Any, input_shape: Any, image_input: Any) -> _core.Graph:
    shapes = None if input_shape is None else _input_shapes(input_shape)
    if isinstance(net, Model | GraphBuilder):
        graph = net.graph
        if image_input is not None:
            raise ValueError("image_input: expected None for a network whose graph is made already")
        made = {graph.value(i)[0]: tuple(graph.value(i)[2]) for i in graph.inputs}
        if shapes is not None and list(shapes.values()) != list(made.values()):
            raise ValueError(f"input_shape: this network has been made for {made}, got {shapes}")
        return graph
    builder = GraphBuilder(image_input=image_input)
    if isinstance(net, Module):
        if shapes is None:
            raise ValueError("input_shape: expected the shape of the network's input, got None")
        return trace(net, shapes, builder).graph
    if hasattr(net, "graph_for"):
        recorded: GraphBuilder = net.graph_for(shapes, builder)
        return recorded.graph
    raise TypeError(f"net: expected a Module, a Model or a loaded network, got {type(net).__name__}")


def load(path: str | os.PathLike[str], **options: Any) -> Any:
    """A model file of `Model.save` as a `Model`; an ONNX file as a network for `compile`.

    Args:
        path: the file.
        options: those of `compile` that shall differ from what was saved; of model files alone.

    Raises:
        ValueError: no such file, or a damaged one: the message says where. ONNX: operators that are
            not supported, all of them named.
        OSError: the file cannot be read.
        ImportError: ONNX files need the onnx package.

    >>> import os, tempfile, pyconv
    >>> from pyconv import nn
    >>> path = os.path.join(tempfile.mkdtemp(), "tiny.pyconv")
    >>> pyconv.compile(nn.Conv2d(3, 4, 3), (1, 3, 8, 8)).save(path)
    >>> pyconv.load(path).output_shapes
    {'output': (1, 4, 6, 6)}
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        head = file.read(9)
    if head[8:9] == b"{":
        graph, metadata = _core.load_model_file(name)
        try:
            return Model(graph, Options.from_json(metadata.get("pyconv.options", "{}"), options))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    if name.endswith(".onnx"):
        if options:
            raise ValueError(f"{', '.join(options)}: give options of an ONNX model to pyconv.compile")
        from pyconv.formats.onnx import load_onnx

        return load_onnx(name)
    raise ValueError(f"{name}: expected a model file of pyconv, or an .onnx file")


def passes() -> list[tuple[str, str, bool]]:
    """The passes over the graph in order: name, what it does, and whether exact results stay the same.

    >>> import pyconv
    >>> [name for name, _, _ in pyconv.passes()][:2]
    ['drop_identities', 'fold_constants']
    """
    return _core.passes()
