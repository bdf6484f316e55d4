"""The shape files of benchmarks/: data that only a benchmark would otherwise read."""

import importlib.util
import sys
from pathlib import Path

import pytest

FIGURES = {"peak", "plain", "transform", "peers", "bound"}
ROOT = Path(__file__).resolve().parent.parent


def load_problems():
    if not (ROOT / "benchmarks").is_dir():
        pytest.skip("benchmarks/ is not part of this tree")
    spec = importlib.util.spec_from_file_location("shape_files", ROOT / "benchmarks" / "problems.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_shape_files_hold_canonical_problems_and_known_goals():
    problems = load_problems()
    names = problems.shape_file_names()
    assert "mobilenet_v1_pointwise" in names
    for name in names:
        shapes = problems.read_shapes(name)
        assert len({shape.name for shape in shapes.shapes}) == len(shapes.shapes) > 0, name
        for shape in shapes.shapes:
            assert str(shape.problem) == shape.text
            assert {goal.figure for goal in shape.goals} <= FIGURES


def test_mobilenet_v1_layers_add_up_to_the_published_count():
    problems = load_problems()
    total = 0
    for name in ("mobilenet_v1_pointwise", "mobilenet_v1_depthwise"):
        total += sum(shape.count * shape.problem.macs for shape in problems.read_shapes(name).shapes)
    first_convolution, classifier = 32 * 112 * 112 * 27, 1024 * 1000
    assert round((total + first_convolution + classifier) / 1e6, 1) == 568.7


def test_a_goal_compares():
    problems = load_problems()
    least, most = problems.Goal.parse("peak>=0.95"), problems.Goal.parse("bound<=1.6")
    assert least.reached(0.95) and not least.reached(0.94)
    assert most.reached(1.6) and not most.reached(1.61)
    assert problems.Goal.parse("x5") is None
