"""The importer: shapes, names, opsets, what is refused and how, and files that mean harm."""

from __future__ import annotations

import math

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

import pyconv  # noqa: E402
import pyconv.backend  # noqa: E402
from pyconv.formats.onnx import OnnxNetwork, load_onnx, operators  # noqa: E402
from support.onnx_models import info, model_of, node, refusal, run  # noqa: E402

INT64 = TensorProto.INT64




def test_names_are_kept():
    weight = np.ones((4, 3, 1, 1), np.float32)
    nodes = [node("Conv", "image w", "features", "conv1"), node("Relu", "features", "scores", "act1")]
    model = pyconv.compile(OnnxNetwork(model_of(nodes, [info("image", [1, 3, 8, 8])], ["scores"], {"w": weight})))
    assert model.input_shapes == {"image": (1, 3, 8, 8)}
    assert model.output_shapes == {"scores": (1, 4, 8, 8)}
    steps = [s for s in model.describe()["steps"] if s["op"] == "conv"]
    assert steps[0]["name"] == "conv1" and steps[0]["absorbed"] == ["act1"]


def test_open_sizes_are_bound():
    model = model_of([node("Add", "a b", "c")], [info("a", ["N", 3]), info("b", ["N", 3])], ["c"])
    network = OnnxNetwork(model)
    assert network.inputs == {"a": ("N", 3), "b": ("N", 3)}
    two = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(pyconv.compile(network, {"a": (2, 3), "b": (2, 3)})(two, two), two + two)
    one = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(pyconv.compile(network)(one, one), one + one)
    wide = model_of([node("Relu", "a", "c")], [info("a", ["N", 3, "W"])], ["c"])
    assert "leaves sizes of input 'a' open: ('N', 3, 'W')" in refusal(wide)
    assert "expected ('N', 3) for 'b', got (5, 3)" in refusal(model, {"a": (2, 3), "b": (5, 3)})
    assert "expected ('N', 3) for 'a', got (2, 4)" in refusal(model, {"a": (2, 4), "b": (2, 4)})
    assert "expected 2 sizes" in refusal(model, {"a": (2, 3, 1), "b": (2, 3)})
    assert "this network's inputs are a, b, got 'x'" in refusal(model, {"x": (2, 3)})


def test_one_input_takes_a_plain_shape():
    model = model_of([node("Relu", "x", "y")], [info("x", ["N", "C", "H", "W"])], ["y"])
    assert pyconv.compile(OnnxNetwork(model), (1, 2, 3, 4)).output_shapes == {"y": (1, 2, 3, 4)}


def test_shape_subgraphs_are_gone():
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "batch"),
        node("Unsqueeze", "batch axes", "batches"),
        node("Concat", "batches rest", "wanted", axis=0),
        node("Reshape", "x wanted", "y"),
    ]
    known = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1])}
    model = pyconv.compile(OnnxNetwork(model_of(nodes, [info("x", ["N", 2, 3])], ["y"], known)), (4, 2, 3))
    assert model.output_shapes == {"y": (4, 6)}
    assert [s["op"] for s in model.describe()["steps"] if s["op"] != "reorder"] == []


def test_every_unsupported_operator_is_named_at_once():
    nodes = [node("Det", "x", "a", "first"), node("Relu", "x", "b"), node("NonZero", "b", "c", "second")]
    with pytest.raises(ValueError) as raised:
        OnnxNetwork(model_of(nodes, [info("x", [2, 2])], ["c"]))
    assert "node 'first' (Det, opset 17)" in str(raised.value)
    assert "node 'second' (NonZero, opset 17)" in str(raised.value)
    foreign = helper.make_node("Relu", ["x"], ["y"], "mine", domain="com.example")
    with pytest.raises(ValueError, match=r"node 'mine' \(com.example.Relu, opset 17\)"):
        OnnxNetwork(model_of([foreign], [info("x", [2])], ["y"]))


def test_every_node_that_cannot_be_built_is_named_at_once():
    nodes = [
        node("Elu", "x", "a", "one", slope=1.0),
        node("Relu", "x", "b"),
        node("Resize", "b  scales", "c", "two", mode="lanczos"),
        node("Add", "a c", "d", "after both"),
    ]
    text = refusal(model_of(nodes, [info("x", [1, 1, 2, 2])], ["d"], {"scales": np.ones(4, np.float32)}))
    assert "node 'one' (Elu, opset 17): attribute 'slope' is not supported" in text
    assert "node 'two' (Resize, opset 17)" in text and "after both" not in text


def test_what_must_be_constant_says_so():
    nodes = [node("Reshape", "x shape", "y", "turn")]
    text = refusal(model_of(nodes, [info("x", [4]), info("shape", [2], INT64)], ["y"]))
    assert "node 'turn' (Reshape, opset 17): shape ('shape'): expected a constant, it depends" in text


@pytest.mark.parametrize(
    "kind, name", [(TensorProto.DOUBLE, "double"), (TensorProto.FLOAT16, "float16"), (TensorProto.STRING, "string")]
)
def test_types_are_refused_by_name(kind, name):
    text = refusal(model_of([node("Relu", "x", "y")], [info("x", [2], kind)], ["y"]))
    assert "input 'x': expected one of the types float32" in text and text.endswith(f"got {name}")


def test_opsets():
    model = model_of([node("Relu", "x", "y")], [info("x", [2])], ["y"], opset=6)
    with pytest.raises(ValueError, match="opset: expected 7 to 28, got 6"):
        OnnxNetwork(model)
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    for opset, want in ((12, x.reshape(2, 6)), (13, x)):
        got = run(model_of([node("Softmax", "x", "y")], [info("x", [2, 3, 2])], ["y"], opset=opset), x)
        e = np.exp(want - want.max(-1, keepdims=True))
        np.testing.assert_allclose(got.reshape(want.shape), e / e.sum(-1, keepdims=True), rtol=1e-5)
    old = model_of([node("Slice", "x", "y", starts=[1], ends=[2], axes=[1])], [info("x", [2, 3, 2])], ["y"], opset=9)
    np.testing.assert_array_equal(run(old, x), x[:, 1:2])
    clip = model_of([node("Clip", "x", "y", min=1.0, max=2.5)], [info("x", [2, 3, 2])], ["y"], opset=7)
    np.testing.assert_array_equal(run(clip, x), np.clip(x, 1, 2.5))
    up = model_of([node("Upsample", "i", "y", scales=[1.0, 1.0, 2.0, 2.0])], [info("i", [1, 1, 2, 2])], ["y"], opset=7)
    i = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    np.testing.assert_array_equal(run(up, i), i.repeat(2, 2).repeat(2, 3))


def broken(change):
    """A model of one Add whose initialiser `w` was changed."""
    model = model_of([node("Add", "x w", "y")], [info("x", [2, 3])], ["y"], {"w": np.ones((2, 3), np.float32)})
    change(model.graph.initializer[0])
    return model


def set_raw(tensor, data, dims=None):
    tensor.raw_data = data
    if dims is not None:
        del tensor.dims[:]
        tensor.dims.extend(dims)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: set_raw(t, b"\0" * 23), "expected 24 bytes"),
        (lambda t: set_raw(t, b"", [2**40, 2**40]), "at most 2\\^40 elements"),
        (lambda t: set_raw(t, b"", [-1, 3]), "expected sizes of 0 or more"),
        (lambda t: set_raw(t, b"", [2**62, 2**62, 0]), "at most 2\\^40 elements"),
        (lambda t: t.ClearField("raw_data"), "expected 6 numbers, got 0"),
        (lambda t: setattr(t, "data_type", 99), "initializer 'w': expected one of the types"),
        (lambda t: t.segment.SetInParent(), "segments are not supported"),
    ],
)
def test_damaged_tensors_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        OnnxNetwork(broken(change))


def external(location, offset="0", length="24"):
    def change(tensor):
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value

    return broken(change)


def test_external_data_stays_in_the_folder(tmp_path):
    inside = tmp_path / "model"
    inside.mkdir()
    (inside / "w.bin").write_bytes(np.arange(8, dtype=np.float32).tobytes())
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    path = inside / "model.onnx"

    def load(*arguments):
        path.write_bytes(external(*arguments).SerializeToString())
        return load_onnx(path)

    y = pyconv.compile(load("w.bin", "8"))(np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(y.ravel(), np.arange(2, 8))
    for location in ("../secret.bin", "link.bin", str(tmp_path / "secret.bin"), "", "/etc/passwd"):
        with pytest.raises(ValueError, match="external data in the model's folder|is missing"):
            load(location)
    for offset, length in (("16", "24"), ("-8", "24"), ("0", "20"), ("x", "24"), ("0", str(2**60))):
        with pytest.raises(ValueError, match="initializer 'w': expected"):
            load("w.bin", offset, length)
    with pytest.raises(ValueError, match="is missing"):
        load("nothing.bin")
    with pytest.raises(ValueError, match="came from no file"):
        OnnxNetwork(external("w.bin"))


def test_files_that_are_no_models(tmp_path):
    path = tmp_path / "a.onnx"
    for data in (b"\xff" * 100, b"\x08" + b"\xff" * 50, bytes(range(256))):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="expected an ONNX model|opset_import"):
            pyconv.load(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="opset_import: expected a version"):
        pyconv.load(path)
    good = model_of([node("Relu", "x", "y")], [info("x", [2])], ["y"]).SerializeToString()
    refused = 0
    for size in range(len(good)):
        path.write_bytes(good[:size])
        try:
            pyconv.compile(pyconv.load(path))
        except ValueError:
            refused += 1
    assert refused > 0.9 * len(good)
    with pytest.raises(OSError):
        pyconv.load(tmp_path / "none.onnx")


def test_mutated_models_give_errors_or_numbers():
    """No byte that is changed does more than raise ValueError."""
    weight = np.ones((4, 3, 3, 3), np.float32)
    nodes = [node("Conv", "x w", "a", pads=[1, 1, 1, 1]), node("MaxPool", "a", "b", kernel_shape=[2, 2]),
             node("Reshape", "b s", "c"), node("Gemm", "c m", "y", transB=1)]  # fmt: skip
    known = {"w": weight, "s": np.array([1, -1]), "m": np.ones((5, 196), np.float32)}
    good = bytearray(model_of(nodes, [info("x", [1, 3, 8, 8])], ["y"], known).SerializeToString())
    rng = np.random.default_rng(1)
    x = np.zeros((1, 3, 8, 8), np.float32)
    head = [i for i in range(len(good)) if not 300 < i < len(good) - 400]
    for _ in range(400):
        changed = bytearray(good)
        for at in rng.choice(head, rng.integers(1, 4)):
            changed[at] = rng.integers(0, 256)
        model = onnx.ModelProto()
        try:
            model.ParseFromString(bytes(changed))
        except Exception:
            continue
        try:
            pyconv.compile(OnnxNetwork(model))(x)
        except (ValueError, TypeError) as error:
            assert str(error)


@pytest.mark.parametrize(
    "nodes, known",
    [
        ([node("ConstantOfShape", "s", "y")], {"s": np.array([2**40])}),
        ([node("Range", "a b c", "y")], {"a": np.array(0), "b": np.array(2**40), "c": np.array(1)}),
        ([node("Expand", "x s", "y")], {"s": np.array([2**20, 2**20, 2**20, 1])}),
        ([node("Tile", "x s", "y")], {"s": np.array([2**45, 2**45])}),
        ([node("Pad", "x s", "y")], {"s": np.array([0, 2**60, 0, 0])}),
        ([node("Expand", "k s", "y")], {"k": np.ones(1, np.float32), "s": np.array([2**32])}),
        ([node("Resize", "x  c", "y")], {"c": np.array([1.0, 1e30], np.float32)}),
    ],
    ids=lambda v: v[0].op_type if isinstance(v, list) else "",
)
def test_sizes_beyond_reason_are_refused(nodes, known):
    with pytest.raises((ValueError, MemoryError)):
        pyconv.compile(OnnxNetwork(model_of(nodes, [info("x", [2, 3])], ["y"], known)))


def test_graphs_that_do_not_hang_together():
    x = [info("x", [2])]
    assert "input 'nothing' is made by no node before it" in refusal(model_of([node("Relu", "nothing", "y")], x, ["y"]))
    twice = [node("Relu", "x", "y", "a"), node("Relu", "x", "y", "b")]
    assert "node 'b' (Relu, opset 17): output 'y' is made by another node" in refusal(model_of(twice, x, ["y"]))
    cycle = [node("Add", "x b", "a", "first"), node("Relu", "a", "b", "second")]
    assert "input 'b' is made by no node before it" in refusal(model_of(cycle, x, ["b"]))
    assert "output 'z' is made by no node" in refusal(model_of([node("Relu", "x", "y")], x, ["z"]))
    with pytest.raises(ValueError, match="graph with outputs"):
        OnnxNetwork(model_of([], x, []))


def test_dense_layers_of_every_form():
    rng = np.random.default_rng(2)
    x, w, c = (rng.standard_normal(s).astype(np.float32) for s in ((3, 4), (4, 5), (3, 5)))
    wide = x.astype(np.float64) @ w
    for constants in ("", "w", "w c"):
        known = {k: v for k, v in {"w": w, "c": c}.items() if k in constants.split()}
        inputs = [info(k, v.shape) for k, v in {"x": x, "w": w, "c": c}.items() if k not in known]
        model = model_of([node("Gemm", "x w c", "y", alpha=0.5, beta=2.0)], inputs, ["y"], known)
        given = {k: v for k, v in {"x": x, "w": w, "c": c}.items() if k not in known}
        np.testing.assert_allclose(run(model, given), 0.5 * wide + 2 * c, rtol=1e-5, atol=1e-5)
    for row in (c[0], c[:1], c[0, :1], c[0, 0]):
        model = model_of([node("Gemm", "x w c", "y")], [info("x", [3, 4])], ["y"], {"w": w, "c": np.asarray(row)})
        np.testing.assert_allclose(run(model, x), wide + row, rtol=1e-5, atol=1e-5)
    square = rng.standard_normal((4, 4)).astype(np.float32)
    for column in (c[:1, :4].T, c[:1, :4]):
        known = {"w": square, "c": np.ascontiguousarray(column)}
        model = model_of([node("Gemm", "x w c", "y")], [info("x", [4, 4])], ["y"], known)
        np.testing.assert_allclose(run(model, square), square @ square + column, rtol=1e-5, atol=1e-5)
    shapes = [((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (4,)), ((2, 3, 4), (4, 5)), ((4,), (2, 4, 5))]
    for a, b in shapes:
        left, right = (rng.standard_normal(s).astype(np.float32) for s in (a, b))
        want = left.astype(np.float64) @ right
        both = model_of([node("MatMul", "a b", "y")], [info("a", a), info("b", b)], ["y"])
        one = model_of([node("MatMul", "a b", "y")], [info("a", a)], ["y"], {"b": right})
        np.testing.assert_allclose(run(both, left, right), want, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(run(one, left), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 1, 1), (4,), (1, 1, 1)], ids=str)
def test_scales_and_shifts_of_channels_go_into_the_convolution(shape, norm, turned):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2, 3, 5, 4)).astype(np.float32)
    known = {"w": rng.standard_normal((4, 3, 1, 1)), "s": rng.standard_normal(shape), "t": rng.standard_normal(shape)}
    known |= {k: rng.uniform(0.5, 1.5, 4) for k in "gbmv"}
    known = {k: v.astype(np.float32) for k, v in known.items()}
    nodes = [node("Conv", "x w", "a")]
    if norm:
        nodes.append(node("BatchNormalization", "a g b m v", "n", epsilon=1e-3))
    last = "n" if norm else "a"
    nodes += [node("Mul", f"s {last}" if turned else f"{last} s", "p"), node("Add", "t p" if turned else "p t", "y")]
    model = pyconv.compile(OnnxNetwork(model_of(nodes, [info("x", x.shape)], ["y"], known)))
    wide = {k: v.astype(np.float64) for k, v in known.items()}
    want = np.einsum("nihw,oi->nohw", x, wide["w"][:, :, 0, 0])
    if norm:
        g, b, m, v = (wide[k].reshape(4, 1, 1) for k in "gbmv")
        want = (want - m) / np.sqrt(v + 1e-3) * g + b
    np.testing.assert_allclose(model(x), want * wide["s"] + wide["t"], rtol=1e-4, atol=1e-5)
    if shape[-3:] == (4, 1, 1):
        assert [s["op"] for s in model.describe()["steps"] if s["op"] != "reorder"] == ["conv"]


def gelu_of(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / np.sqrt(2)))


IDIOMS = {
    "silu": ([("Sigmoid", "a", "s"), ("Mul", "a s", "y")], lambda x: x / (1 + np.exp(-x))),
    "silu ": ([("Sigmoid", "a", "s"), ("Mul", "s a", "y")], lambda x: x / (1 + np.exp(-x))),
    "mish": (
        [("Softplus", "a", "p"), ("Tanh", "p", "t"), ("Mul", "a t", "y")], lambda x: x * np.tanh(np.log1p(np.exp(x)))
    ),
    "hard_sigmoid": (
        [("Add", "a three", "p"), ("Clip", "p zero six", "c"), ("Div", "c six", "y")],
        lambda x: np.clip(x + 3, 0, 6) / 6,
    ),
    "hard_swish": (
        [("Add", "three a", "p"), ("Clip", "p zero six", "c"), ("Mul", "a c", "m"), ("Div", "m six", "y")],
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
    ),
    "hard_swish ": (
        [("Add", "a three", "p"), ("Clip", "p zero six", "c"), ("Mul", "c a", "m"), ("Mul", "m sixth", "y")],
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
    ),
    "gelu": (
        [("Div", "a root", "d"), ("Erf", "d", "e"), ("Add", "e one", "p"), ("Mul", "a p", "m"), ("Mul", "m half", "y")],
        gelu_of,
    ),
}
NUMBERS = {"zero": 0, "one": 1, "three": 3, "six": 6, "sixth": 1 / 6, "half": 0.5, "root": 2**0.5}


def idiom(steps, outputs=("y",)):
    nodes = [node("Conv", "x w", "a")] + [node(op, i, o, f"{op}_{o}") for op, i, o in steps]
    known = {k: np.array(v, np.float32) for k, v in NUMBERS.items()}
    known["w"] = np.eye(3, dtype=np.float32)[..., None, None]
    return model_of(nodes, [info("x", [1, 3, 9, 9])], outputs, known)


@pytest.mark.parametrize("op", IDIOMS)
def test_activations_written_out_are_one_again(op):
    steps, meaning = IDIOMS[op]
    x = (np.random.default_rng(5).standard_normal((1, 3, 9, 9)) * 4).astype(np.float32)
    model = pyconv.compile(OnnxNetwork(idiom(steps)))
    np.testing.assert_allclose(model(x), meaning(x.astype(np.float64)), rtol=1e-5, atol=1e-5)
    first, *others = (s for s in model.describe()["steps"] if s["op"] != "reorder")
    found = [s["op"] for s in others] or [first["attributes"]["activation"]]  # mish is not fused
    assert found == [op.strip()]


def test_what_only_looks_like_one_stays():
    x = (np.random.default_rng(6).standard_normal((1, 3, 9, 9)) * 4).astype(np.float32)
    wide = x.astype(np.float64)
    sigmoid = 1 / (1 + np.exp(-wide))
    for steps, want in [
        ([("Relu", "a", "r"), ("Sigmoid", "r", "s"), ("Mul", "a s", "y")], wide / (1 + np.exp(-np.maximum(wide, 0)))),
        ([("Sigmoid", "a", "s"), ("Mul", "s s", "y")], sigmoid**2),
        ([("Sigmoid", "a", "s"), ("Div", "a s", "y")], wide / sigmoid),
        ([("Add", "a six", "p"), ("Clip", "p zero six", "c"), ("Div", "c six", "y")], np.clip(wide + 6, 0, 6) / 6),
        ([("Add", "a three", "p"), ("Clip", "p one six", "c"), ("Div", "six c", "y")], 6 / np.clip(wide + 3, 1, 6)),
        ([("Add", "a three", "p"), ("Clip", "p one six", "c"), ("Div", "c six", "y")], np.clip(wide + 3, 1, 6) / 6),
        ([("Add", "a three", "p"), ("Clip", "p zero six", "c"), ("Mul", "c half", "y")], np.clip(wide + 3, 0, 6) / 2),
        ([("Erf", "a", "e"), ("Add", "e one", "p"), ("Mul", "a p", "m"), ("Mul", "m half", "y")],
         gelu_of(wide * np.sqrt(2)) / np.sqrt(2)),
    ]:  # fmt: skip
        np.testing.assert_allclose(run(idiom(steps), x), want, rtol=1e-4, atol=1e-5)
    both = pyconv.compile(OnnxNetwork(idiom(IDIOMS["silu"][0], ["y", "s"])))(x)
    np.testing.assert_allclose(both[0], wide * sigmoid, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(both[1], sigmoid, rtol=1e-5, atol=1e-6)


def test_the_backend_binds_and_remembers():
    nodes = [node("Reshape", "x shape", "y")]
    prepared = pyconv.backend.prepare(model_of(nodes, [info("x", ["n"]), info("shape", [2], INT64)], ["y"]))
    x = np.arange(6, dtype=np.float32)
    for shape in ([2, 3], [3, 2], [6, 1], [2, 3]):
        np.testing.assert_array_equal(prepared.run([x, np.array(shape)])[0], x.reshape(shape))
    assert prepared.run({"x": x, "shape": np.array([1, 6])}).y.shape == (1, 6)
    np.testing.assert_array_equal(prepared.run([x[:4], np.array([2, 2])])[0], x[:4].reshape(2, 2))
    assert pyconv.backend.supports_device("CPU") and not pyconv.backend.supports_device("CUDA:0")
    assert not pyconv.backend.is_compatible(model_of([node("Det", "x", "y")], [info("x", [2, 2])], ["y"]))
    with pytest.raises(ValueError, match="device: expected CPU"):
        pyconv.backend.prepare(model_of(nodes, [info("x", [1])], ["y"]), "CUDA")
    (y,) = pyconv.backend.run_node(helper.make_node("Clip", ["x"], ["y"], min=1.0), [x], opset_version=10)
    np.testing.assert_array_equal(y, np.maximum(x, 1))


def test_pictures_go_in():
    weight = np.ones((2, 3, 1, 1), np.float32)
    model = model_of([node("Conv", "x w", "y")], [info("x", ["N", 3, "H", "W"])], ["y"], {"w": weight})
    picture = np.random.default_rng(3).integers(0, 256, (1, 4, 5, 3), dtype=np.uint8)
    recipe = pyconv.preprocess.recipe("imagenet")
    got = pyconv.compile(OnnxNetwork(model), (1, 3, 4, 5), image_input=recipe)(picture)
    plain = pyconv.compile(OnnxNetwork(model), (1, 3, 4, 5))(recipe.normalized(picture))
    np.testing.assert_allclose(got, plain, rtol=1e-5, atol=1e-5)


def test_operators_are_listed():
    assert {"Conv", "Resize", "TopK"} <= set(operators()) and len(operators()) > 100


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "LpPool"])
def test_same_padding_of_pools_may_be_negative(op, mode):
    """ONNX's formula: (out - 1) stride + kernel - size is shared out, rounded down, whatever its sign."""
    for size, kernel, stride in ((6, 1, 3), (7, 1, 4), (8, 2, 5), (9, 2, 3)):
        x = np.arange(1, size + 1, dtype=np.float32)
        out = -(-size // stride)
        total = (out - 1) * stride + kernel - size
        before = total // 2 if mode == "SAME_UPPER" else total - total // 2
        taps = [[i * stride - before + k for k in range(kernel)] for i in range(out)]
        rows = [[x[t] for t in row if 0 <= t < size] for row in taps]
        fold = {"MaxPool": max, "AveragePool": np.mean, "LpPool": sum}[op]
        power = {"p": 1} if op == "LpPool" else {}
        for shape in ([1, 1, size], [1, 1, size, 1]):
            ones = len(shape) - 3
            window = {"kernel_shape": [kernel] + [1] * ones, "strides": [stride] + [1] * ones}
            nodes = [node(op, "x", "y", auto_pad=mode, **window, **power)]
            got = run(model_of(nodes, [info("x", shape)], ["y"]), x.reshape(shape))
            np.testing.assert_allclose(got.ravel(), [fold(row) for row in rows], rtol=1e-6)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
def test_same_padding_of_transposed_convolutions_may_be_negative(mode):
    weight = np.ones((1, 1, 1), np.float32)
    x = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 4)
    for stride in (2, 3, 4):
        nodes = [node("ConvTranspose", "x w", "y", strides=[stride], auto_pad=mode)]
        got = run(model_of(nodes, [info("x", [1, 1, 4])], ["y"], {"w": weight}), x)
        total = stride * 3 + 1 - stride * 4
        want = np.zeros(4 * stride, np.float32)
        want[-(total // 2 if mode == "SAME_UPPER" else total - total // 2) :: stride] = x.ravel()
        np.testing.assert_array_equal(got.ravel(), want)
