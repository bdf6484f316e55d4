"""Nodes drawn at random, in every opset from 7 to 21, beside onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

import pyconv  # noqa: E402
from pyconv.formats.onnx import OnnxNetwork  # noqa: E402
from support import onnx_drawn as drawn  # noqa: E402

OPSETS = range(7, 22)


def theirs(model, feed):
    """onnxruntime's outputs, or None where it refuses the model."""
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        typed = onnx.shape_inference.infer_shapes(model)
        session = runtime.InferenceSession(typed.SerializeToString(), options, ["CPUExecutionProvider"])
        return session.run(None, feed)
    except Exception:  # its own classes, one per reason
        return None


@pytest.mark.parametrize("kind", drawn.KINDS)
def test_random_nodes(kind):
    compared = 0
    for seed in range(12):
        for opset in OPSETS:
            case = getattr(drawn.Draw([seed, opset, drawn.KINDS.index(kind)], opset), kind)()
            model, feed = case.model(opset), case.feed()
            want = theirs(model, feed)
            if want is None:
                continue
            got = pyconv.compile(OnnxNetwork(model))(feed)
            label = f"{case.op} {opset} {case.attributes} { {n: a.shape for n, a in case.inputs.items()} }"
            for mine, other in zip(got if isinstance(got, tuple) else (got,), want):
                assert mine.dtype == other.dtype and mine.shape == other.shape, label
                if mine.dtype == np.float32:
                    scale = np.abs(other[np.isfinite(other)]).max(initial=1.0)
                    np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4 * scale, err_msg=label)
                else:
                    np.testing.assert_array_equal(mine, other, label)
            compared += 1
    assert compared > 120
