"""The ONNX project's own node tests through `pyconv.backend`.

Which of them run is computed: those whose operators the issue lists, on the types that the engine has.
What is refused among them is named here with the reason, and nothing else may be.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx")

from pyconv.formats.onnx.table import TABLE  # noqa: E402
from support.onnx_nodes import LISTED, check, load, refusal, rest, skip_reason  # noqa: E402

ENOUGH = 500  # listed tests that this version of onnx must at least have, so that none is lost unseen
CASES = load()
RUN = [case for case in CASES if skip_reason(case) is None]
IS_LISTED = [case for case in RUN if {n.op_type for n in case.model.graph.node} <= LISTED]


@pytest.mark.parametrize("case", RUN, ids=lambda case: case.name)
def test_node(case):
    if case.name.startswith("test_training_dropout") and "zero_ratio" not in case.name:
        with pytest.raises(ValueError, match="nothing is dropped at random"):
            check(case)
        return
    check(case)


def test_none_is_lost():
    assert len(IS_LISTED) >= ENOUGH
    assert LISTED <= TABLE.keys()


def test_the_page_of_the_rest_is_what_the_command_prints():
    page = (Path(__file__).resolve().parents[2] / "docs" / "onnx-nodes.md").read_text("utf-8")
    if f"onnx {onnx.__version__}." not in page:
        pytest.skip(f"docs/onnx-nodes.md was made with another onnx than {onnx.__version__}")
    named = set(re.findall(r"^- `(\w+)`: ", page.partition("## Not run")[0], re.M))
    refused = {case.name: refusal(case) for case in RUN if case.name in named}  # test_node: the others pass
    assert page == rest(refused)


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
