"""The ONNX project's node tests: which of them the engine must pass, and running one.

    python tests/support/onnx_nodes.py

prints how many pass, fail and are refused, operator by operator;

    python tests/support/onnx_nodes.py --rest > docs/onnx-nodes.md

prints each of those that do not pass or are not run, with the reason.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter, defaultdict

import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

import pyconv.backend
from pyconv.formats.onnx.proto import DTYPES, type_name
from pyconv.formats.onnx.table import LATEST, TABLE

LISTED = frozenset(
    """Abs Add ArgMax AveragePool BatchNormalization Cast Celu Clip Concat Constant ConstantOfShape Conv
    ConvTranspose DepthToSpace DequantizeLinear Div Dropout Elu Equal Exp Expand Flatten Gather Gelu Gemm
    GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual HardSigmoid HardSwish Identity
    InstanceNormalization LRN LeakyRelu Less LessOrEqual Log LogSoftmax LpPool MatMul Max MaxPool Mean Min
    Mish Mul Neg PRelu Pad Pow QuantizeLinear Range ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum Relu
    Reshape Resize Selu Shape Sigmoid Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub
    Sum Swish Tanh ThresholdedRelu Tile TopK Transpose Unsqueeze Upsample Where""".split()
)


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


def check(case, **options):
    prepared = pyconv.backend.prepare(case.model, **options)
    assert case.data_sets
    for inputs, outputs in case.data_sets:
        got = list(prepared.run(list(inputs)))
        Runner.assert_similar_outputs([np.asarray(o) for o in outputs], got, case.rtol, case.atol)


def verdict(case):
    """ "passed", "failed", or "refused" where an error said so."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(case)
    except AssertionError:
        return "failed"
    except (ValueError, TypeError):
        return "refused"
    return "passed"


def refusal(case):
    """The sentence with which a test is refused; None where it is not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(case)
    except AssertionError:
        return "wrong results"
    except (ValueError, TypeError) as error:
        return " ".join(str(error).split())
    return None


def rest(refused):
    """The page of all tests that do not pass: `refused` has a reason by name, the others are not run."""
    waiting = defaultdict(lambda: defaultdict(list))
    for case in load():
        reason = skip_reason(case)
        if reason is not None:
            kind, _, which = reason.partition(": ")
            waiting[kind][which].append(case.name)
    lines = ["# ONNX node tests that do not pass", "", HOW.format(version=onnx.__version__), "", "## Refused", ""]
    lines += [f"- `{name}`: {reason}" for name, reason in sorted(refused.items())]
    for kind in sorted(waiting):
        count = sum(len(names) for names in waiting[kind].values())
        lines += ["", f"## Not run: {kind} ({count})", ""]
        for which, names in sorted(waiting[kind].items()):
            lines.append(f"- {which + ': ' if which else ''}{', '.join(f'`{name}`' for name in sorted(names))}")
    return "\n".join(lines) + "\n"


HOW = """onnx {version}. Made by `python tests/support/onnx_nodes.py --rest`; a test holds it to that."""


def main():
    table, left = defaultdict(Counter), Counter()
    for case in load():
        operators = {n.op_type for n in case.model.graph.node}
        reason = skip_reason(case)
        if reason:
            left[reason.split(":")[0] if operators <= LISTED else "operators beyond the list"] += 1
        elif operators <= LISTED:
            table[operators.pop() if len(operators) == 1 else "several operators"][verdict(case)] += 1
        else:
            table["beyond the list"][verdict(case)] += 1
    print(f"| operator | {' | '.join(VERDICTS)} |\n|---|---|---|---|")
    for operator in sorted(table, key=lambda name: (name[0].islower(), name)):
        print(f"| {operator} | {' | '.join(str(table[operator][v]) for v in VERDICTS)} |")
    listed = [counts for name, counts in table.items() if name != "beyond the list"]
    print(f"| all of the list | {' | '.join(str(sum(c[v] for c in listed)) for v in VERDICTS)} |")
    for reason, count in left.most_common():
        print(f"not run: {count}, {reason}")


VERDICTS = ("passed", "failed", "refused")

if __name__ == "__main__":
    if sys.argv[1:] == ["--rest"]:
        reasons = {case.name: refusal(case) for case in load() if skip_reason(case) is None}
        print(rest({name: reason for name, reason in reasons.items() if reason}), end="")
    else:
        main()
