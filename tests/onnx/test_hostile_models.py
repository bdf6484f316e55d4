"""What fuzzing the importer found, or would find: each refused with its reason."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")


import pyconv  # noqa: E402
from support.onnx_models import info, model_of, node, refusal, run  # noqa: E402


def test_constants_made_on_the_way_are_bounded_in_all(monkeypatch):
    from pyconv.formats.onnx import importer

    monkeypatch.setattr(importer, "MOST_MADE", 1000)
    known = {"s": np.array([150], np.int64), "one": np.ones(1, np.float32)}
    fill = [node("ConstantOfShape", "s", name) for name in ("a", "b")]
    one = model_of([fill[0], node("Add", "x a", "y")], [info("x", [150])], ["y"], known)
    assert run(one, np.ones(150, np.float32)).tolist() == [1.0] * 150
    both = model_of(
        [*fill, node("Add", "a b", "c"), node("Add", "x c", "y")], [info("x", [150])], ["y"], known
    )
    assert "constants of at most 1000 bytes in all, got one of shape (150,) where 400 are left" in refusal(
        both
    )
    for op, more in (("Expand", {}), ("Tile", {})):
        assert "expected a constant of at most 1000 bytes" in refusal(
            model_of([node(op, "one n", "y", **more)], [], ["y"], known | {"n": np.array([251], np.int64)})
        )
    limits = {"a": np.array(0, np.int64), "b": np.array(2**40, np.int64), "c": np.array(1, np.int64)}
    assert "constants of at most 1000 bytes" in refusal(
        model_of([node("Range", "a b c", "y")], [], ["y"], limits)
    )
    known |= {"minus": np.array([-1], np.int64)}
    assert "sizes of 0 or more" in refusal(
        model_of([node("ConstantOfShape", "minus", "y")], [], ["y"], known)
    )


@pytest.mark.parametrize("count", [-1, 3, 2**40, 2**63 - 1])
def test_a_split_makes_as_many_parts_as_it_has_outputs(count):
    split = node("Split", "x", "a b", axis=0, num_outputs=count)
    assert "num_outputs: expected 1 to 2" in refusal(model_of([split], [info("x", [4])], ["a"], opset=18))


@pytest.mark.parametrize("kind", ["input", "node", "initializer"])
def test_names_that_are_no_utf8(kind, tmp_path):
    model = model_of([node("Add", "q w", "y")], [info("q", [2])], ["y"], {"w": np.ones(2, np.float32)})
    name = {"input": b"q", "node": b"the_add", "initializer": b"w"}[kind]
    length = bytes([len(name)])
    data = model.SerializeToString().replace(length + name, length + b"\xff" * len(name))
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"names in UTF-8, got b'|expected an ONNX model"):
        pyconv.load(path)
