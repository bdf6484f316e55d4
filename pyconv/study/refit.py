"""The last stage of a chain, fitted by least squares to what the layer gives on real inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pyconv
from pyconv import _core
from pyconv.model import Model
from pyconv.study.factors import Stage, composed
from pyconv.study.rewrite import Chain, Convolution, made_anew

Floats = NDArray[np.float32]
_ROWS = 20_000
"""Most outputs, of all channels each, that a fit looks at."""
_HOLD = 1e-4
"""How strongly the weights are held where they were, beside the mean square of what they multiply."""


def check(graph: _core.Graph, data: Any) -> None:
    """Raises ValueError unless `data` are inputs of the network."""
    if len(graph.inputs) != 1:
        raise ValueError(f"data: expected a network of one input, this one has {len(graph.inputs)}")
    shape = tuple(graph.value(graph.inputs[0])[2])
    if np.ndim(data) != len(shape) or np.shape(data)[1:] != shape[1:] or not len(data):
        raise ValueError(f"data: expected shape (N, {', '.join(map(str, shape[1:]))}), got {np.shape(data)}")


def run(model: Model, data: Any) -> list[Floats]:
    """The outputs on any number of inputs, in portions of the batch that the model was made for."""
    ((_, shape),) = model.input_shapes.items()
    batch = shape[0]
    parts: list[list[Floats]] = []
    for start in range(0, len(data), batch):
        portion = data[start : start + batch]
        missing = batch - len(portion)
        if missing:
            portion = np.concatenate([portion, np.zeros((missing, *shape[1:]), portion.dtype)])
        found = model(np.ascontiguousarray(portion))
        outputs = found if isinstance(found, tuple) else (found,)
        parts.append([np.array(out[: batch - missing]) for out in outputs])
    return [np.concatenate(column) for column in zip(*parts)]


def refitted(
    graph: _core.Graph,
    convs: Sequence[Convolution],
    chains: Mapping[str, Chain],
    data: Floats,
    *,
    fit: bool = True,
    say: Callable[[str], None],
) -> tuple[dict[str, Chain], dict[str, float]]:
    """The chains, fitted one after another unless `fit` is off, and the error of each layer's outputs in the
    network that has them, against the network as it was."""
    made: dict[str, Chain] = {}
    errors: dict[str, float] = {}
    for conv in convs:
        say(f"{conv.name} on the data")
        before = inputs_of(graph, conv, {}, data)
        now = inputs_of(graph, conv, made, data) if made else before
        chain = chains[conv.name]
        made[conv.name] = fitted(chain, conv, now, before) if fit else chain
        errors[conv.name] = output_error(made[conv.name], conv, now, before)
    return made, errors


def inputs_of(graph: _core.Graph, conv: Convolution, chains: Mapping[str, Chain], data: Floats) -> Floats:
    """What the layer reads in the network with these chains."""
    if conv.source in graph.inputs:
        return np.asarray(data, np.float32)
    return run(pyconv.compile(made_anew(graph, chains, [conv.source])), data)[0]


def outputs_of(conv: Convolution, inputs: Floats) -> Floats:
    """Before bias and activation."""
    return _convolved(conv.weight, inputs, _geometry(conv.problem), conv.problem.g)


def output_error(chain: Chain, conv: Convolution, now: Floats, before: Floats) -> float:
    """How far the chain's outputs on the inputs `now` are from the layer's on the inputs `before`, over the norm
    of the latter without bias."""
    wanted = outputs_of(conv, before).astype(np.float64)
    size = float(np.linalg.norm(wanted))
    got = _through(chain.factors.stages, conv, now).astype(np.float64)
    if chain.bias is not None and conv.bias is not None:
        got += (chain.bias - conv.bias.astype(np.float64))[:, None, None]
    missed = float(np.linalg.norm(got - wanted))
    return missed / size if size else missed


def fitted(chain: Chain, conv: Convolution, now: Floats, before: Floats) -> Chain:
    """The chain with the last stage, and the bias where the layer has one, that bring the outputs on the inputs
    `now` nearest to those of the layer on the inputs `before`.

    Held towards the weights it had, so the error on the outputs looked at never grows; those are at most
    20,000 positions, the same each time.
    """
    stages, last = chain.factors.stages[:-1], chain.factors.stages[-1]
    wanted = outputs_of(conv, before)
    seen = _through(stages, conv, now)
    rows = np.random.default_rng(0).permutation(wanted.size // wanted.shape[1])[:_ROWS]
    patches = _patches(seen, last, conv, wanted.shape, rows)  # (groups, rows, inputs of a group)
    target = wanted.transpose(0, 2, 3, 1).reshape(-1, wanted.shape[1])[rows].astype(np.float64)
    ocg = len(last.weight) // last.groups
    weight, bias = last.weight.copy(), np.zeros(len(last.weight))
    for g in range(last.groups):
        own = slice(g * ocg, (g + 1) * ocg)
        held: NDArray[np.float64] = last.weight[own].reshape(ocg, -1).T
        columns = patches[g]
        if chain.bias is not None:
            columns = np.concatenate([columns, np.ones((len(columns), 1))], axis=1)
            held = np.concatenate([held, np.zeros((1, ocg))])
        gram = columns.T @ columns
        gram[np.diag_indices_from(gram)] += _HOLD * np.trace(gram) / len(gram) + np.finfo(float).tiny
        solved = held + np.linalg.solve(gram, columns.T @ (target[:, own] - columns @ held))
        if chain.bias is not None:
            bias[own], solved = solved[-1], solved[:-1]
        weight[own] = solved.T.reshape(last.weight[own].shape)
    made = (*stages, dataclasses.replace(last, weight=weight))
    missed = composed(made, conv.problem.g) - conv.weight
    size = float(np.linalg.norm(conv.weight)) or 1.0
    factors = dataclasses.replace(
        chain.factors, stages=made, error=float(np.linalg.norm(missed.ravel())) / size
    )
    return Chain(factors, None if chain.bias is None else (chain.bias + bias).astype(np.float32))


def _through(stages: Sequence[Stage], conv: Convolution, x: Floats) -> Floats:
    for stage in stages:
        told = stage.shape.attributes(conv.problem)
        x = _convolved(stage.weight, x, told, stage.groups)
    return x


def _geometry(p: pyconv.Conv2dProblem) -> dict[str, Any]:
    return {"stride": (p.sh, p.sw), "padding": (p.pt, p.pb, p.pl, p.pr), "dilation": (p.dh, p.dw)}


def _convolved(weight: NDArray[Any], x: Floats, told: Mapping[str, Any], groups: int) -> Floats:
    return pyconv.conv2d(
        np.ascontiguousarray(x),
        np.ascontiguousarray(weight, np.float32),
        stride=tuple(told["stride"]),
        padding=tuple(told["padding"]),
        dilation=tuple(told["dilation"]),
        groups=groups,
    )


def _patches(
    x: Floats, stage: Stage, conv: Convolution, shape: Sequence[int], rows: NDArray[Any]
) -> NDArray[np.float64]:
    """What the stage multiplies for some outputs: (groups, rows, inputs of a group times taps)."""
    told = stage.shape.attributes(conv.problem)
    (sh, sw), (dh, dw), (pt, pb, pl, pr) = told["stride"], told["dilation"], told["padding"]
    _, icg, kh, kw = stage.weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (pt, pb), (pl, pr)))
    image, oy, ox = np.unravel_index(rows, (shape[0], *shape[2:]))
    taps = [
        padded[image, :, oy * sh + dh * r, ox * sw + dw * s] for r in range(kh) for s in range(kw)
    ]  # each (rows, channels)
    seen = np.stack(taps, axis=-1).reshape(len(rows), stage.groups, icg * kh * kw)
    return np.ascontiguousarray(seen.transpose(1, 0, 2), np.float64)
