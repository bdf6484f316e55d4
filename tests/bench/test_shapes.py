"""The shape files: data that only a benchmark would otherwise read."""

import pytest

from pyconv.bench import problems

FIGURES = {"peak", "plain", "transform", "peers", "bound"}


def test_shape_files_hold_canonical_problems_and_known_goals():
    names = problems.shape_file_names()
    assert "mobilenet_v1_pointwise" in names
    for name in names:
        shapes = problems.read_shapes(name)
        assert len({shape.name for shape in shapes.shapes}) == len(shapes.shapes) > 0, name
        for shape in shapes.shapes:
            assert str(shape.problem) == shape.text
            assert {goal.figure for goal in shape.goals} <= FIGURES


def test_mobilenet_v1_layers_add_up_to_the_published_count():
    total = 0
    for name in ("mobilenet_v1_pointwise", "mobilenet_v1_depthwise"):
        total += sum(shape.count * shape.problem.macs for shape in problems.read_shapes(name).shapes)
    first_convolution, classifier = 32 * 112 * 112 * 27, 1024 * 1000
    assert round((total + first_convolution + classifier) / 1e6, 1) == 568.7


def test_a_goal_compares():
    least, most = problems.Goal.parse("peak>=0.95"), problems.Goal.parse("bound<=1.6")
    assert least.reached(0.95) and not least.reached(0.94)
    assert most.reached(1.6) and not most.reached(1.61)
    assert problems.Goal.parse("x5") is None


@pytest.mark.parametrize(
    "name, convolutions, macs",
    [
        ("mobilenet_v2", 52, 299.5),
        ("resnet50", 53, 4087.1),
        ("vgg16", 13, 15346.6),
        ("squeezenet", 26, 349.2),
    ],
)
def test_a_networks_convolutions_add_up(name, convolutions, macs):
    """The published counts, but for the classifiers: 300.8 M, 4089 M, 15470 M MACs with 1.28 M, 2.05 M and
    123.6 M in linear layers; SqueezeNet 1.1 has none."""
    shapes = problems.read_shapes(name).shapes
    assert sum(shape.count for shape in shapes) == convolutions
    assert round(sum(shape.count * shape.problem.macs for shape in shapes) / 1e6, 1) == macs


def test_the_kinds_of_layers_that_engines_differ_on_are_there():
    by_name = {
        name: [s.problem for s in problems.read_shapes(name).shapes] for name in problems.shape_file_names()
    }
    assert all(1 in (p.kh, p.kw) and p.kh != p.kw for p in by_name["inception_factorised"])
    assert max(p.dh for p in by_name["dilated"]) >= 24
    assert any(p.ih == p.iw == 1 for p in by_name["one_pixel"])
    assert len(by_name["no_cliffs"]) == 48


def test_an_unknown_file_is_refused():
    with pytest.raises(ValueError, match="shapes: expected one of .*tails.*, got 'nothing'"):
        problems.read_shapes("nothing")
