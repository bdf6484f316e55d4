"""The ONNX project's own node tests through `pyconv.backend`.

Which of them run is computed: those whose operators the issue lists, on the types that the engine has.
What is refused among them is named here with the reason, and nothing else may be.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx.backend.test.loader import load_model_tests  # noqa: E402
from onnx.backend.test.runner import Runner  # noqa: E402

import pyconv.backend  # noqa: E402
from pyconv.formats.onnx.proto import DTYPES, type_name  # noqa: E402
from pyconv.formats.onnx.table import LATEST, TABLE  # noqa: E402

LISTED = frozenset(
    """Abs Add ArgMax AveragePool BatchNormalization Cast Celu Clip Concat Constant ConstantOfShape Conv
    ConvTranspose DepthToSpace DequantizeLinear Div Dropout Elu Equal Exp Expand Flatten Gather Gelu Gemm
    GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual HardSigmoid HardSwish Identity
    InstanceNormalization LRN LeakyRelu Less LessOrEqual Log LogSoftmax LpPool MatMul Max MaxPool Mean Min
    Mish Mul Neg PRelu Pad Pow QuantizeLinear Range ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum Relu
    Reshape Resize Selu Shape Sigmoid Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub
    Sum Swish Tanh ThresholdedRelu Tile TopK Transpose Unsqueeze Upsample Where""".split()
)
ENOUGH = 500  # listed tests that this version of onnx must at least have, so that none is lost unseen
REFUSED = {"Dropout": "nothing is dropped at random"}


def skip_reason(case):
    """Why a test is none of those that must pass; None for those."""
    graph = case.model.graph
    operators = {n.op_type if n.domain in ("", "ai.onnx") else f"{n.domain}.{n.op_type}" for n in graph.node}
    if missing := sorted(operators - TABLE.keys()):
        return f"operators that are not taken: {', '.join(missing)}"
    infos = [*graph.input, *graph.output]
    if any(not i.type.HasField("tensor_type") for i in infos):
        return "values that are no tensors"
    types = {i.type.tensor_type.elem_type for i in infos}
    if missing := sorted(type_name(t) for t in types - DTYPES.keys()):
        return f"types that the engine has not: {', '.join(missing)}"
    if any(len(i.type.tensor_type.shape.dim) > 6 for i in infos):
        return "more than six dimensions"
    opset = next(o.version for o in case.model.opset_import if o.domain in ("", "ai.onnx"))
    if not 7 <= opset <= LATEST:
        return f"opset {opset}"
    inside = {
        a.i for n in graph.node if n.op_type == "Cast" for a in n.attribute if a.name == "to"
    } - DTYPES.keys()
    return f"a Cast to {', '.join(sorted(type_name(t) for t in inside))} inside" if inside else None


def load():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_model_tests(kind="node")


CASES = load()
RUN = [case for case in CASES if skip_reason(case) is None]
IS_LISTED = [case for case in RUN if {n.op_type for n in case.model.graph.node} <= LISTED]


def check(case, **options):
    prepared = pyconv.backend.prepare(case.model, **options)
    assert case.data_sets
    for inputs, outputs in case.data_sets:
        got = list(prepared.run(list(inputs)))
        Runner.assert_similar_outputs([np.asarray(o) for o in outputs], got, case.rtol, case.atol)


@pytest.mark.parametrize("case", RUN, ids=lambda case: case.name)
def test_node(case):
    if case.name.startswith("test_training_dropout") and "zero_ratio" not in case.name:
        with pytest.raises(ValueError, match=REFUSED["Dropout"]):
            check(case)
        return
    check(case)


def test_none_is_lost():
    assert len(IS_LISTED) >= ENOUGH
    assert LISTED <= TABLE.keys()


@pytest.mark.parametrize("case", [c for c in CASES if skip_reason(c) is not None][::9], ids=lambda c: c.name)
def test_the_others_are_refused_and_never_wrong(case):
    """A model with anything unknown gives an error, not numbers: or it passes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check(case)
        except (ValueError, TypeError) as error:
            assert str(error)


def test_exact_and_two_threads():
    for case in RUN[:: max(1, len(RUN) // 60)]:
        if not case.name.startswith("test_training_dropout"):
            check(case, accuracy="exact", threads=2)
