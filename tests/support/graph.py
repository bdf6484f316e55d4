"""One operator of the graph on numpy arrays: folded as a constant, or compiled and run."""

from __future__ import annotations

import numpy as np

import pyconv
from pyconv.graph import GraphBuilder
from support.arrays import guarded


def fold(op, *arrays, **attributes):
    """The outputs of a node whose inputs are constants, computed while the graph is built."""
    builder = GraphBuilder()
    inputs = [None if a is None else builder.constant(a) for a in arrays]
    outputs = builder.nodes(op, inputs, fold=1 << 62, **attributes)
    results = [np.array(builder.graph.constant(o.id)) for o in outputs]
    return results[0] if len(results) == 1 else results


def run(op, *arrays, constants=(), options=(), **attributes):
    """As `fold`, but compiled and run; every array ends, and in a second run begins, at an unmapped
    page. `constants`: positions of inputs that are constants."""
    builder = GraphBuilder()
    inputs = []
    for i, array in enumerate(arrays):
        if array is None or i in constants:
            inputs.append(None if array is None else builder.constant(array))
        else:
            inputs.append(builder.input(f"x{i}", array.shape, str(array.dtype)))
    outputs = builder.nodes(op, inputs, **attributes)
    builder.outputs(outputs)
    model = pyconv.compile(builder, **dict(options))
    given = [a for i, a in enumerate(arrays) if a is not None and i not in constants]
    for where in ("end", "begin"):
        out = [guarded(np.zeros(o.shape, o.dtype), where).reshape(o.shape) for o in outputs]
        model.run(*(guarded(a, where).reshape(a.shape) for a in given), out=out)
    return out[0] if len(out) == 1 else out


def both(op, *arrays, **attributes):
    """`run`, after making sure that `fold` gives the same."""
    got, folded = run(op, *arrays, **attributes), fold(op, *arrays, **attributes)
    results = zip([got], [folded]) if isinstance(got, np.ndarray) else zip(got, folded)
    for a, b in results:
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a, b)
    return got
