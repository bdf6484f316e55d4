"""What fuzzing the reader of model files found, or would find: each refused, or read within bounds."""

from __future__ import annotations

import json
import locale

import numpy as np
import pytest

import pyconv
from pyconv import _core
from pyconv.formats import model_file, safetensors
from pyconv.graph import GraphBuilder


def raw(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def graph_file(graph, tensors=None, data=b""):
    text = json.dumps({"inputs": [], "constants": [], "nodes": [], "outputs": [], **graph})
    return raw({"__metadata__": {"pyconv.version": "1", "pyconv.graph": text}, **(tensors or {})}, data)


def node(op, inputs, output, **attributes):
    return {"op": op, "name": output, "inputs": inputs, "outputs": [output], "attributes": attributes}


X = {"name": "x", "dtype": "float32", "shape": [1, 2, 3, 3]}


def test_an_absent_operand_of_many_is_refused():
    outputs = [{"name": "y", "value": "y"}]
    data = graph_file({"inputs": [X], "nodes": [node("concat", ["x", None], "y")], "outputs": outputs})
    with pytest.raises(ValueError, match=r"node 'y' \(concat\): input 1: expected a value"):
        _core.parse_model_bytes(data)
    builder = GraphBuilder()
    x = builder.input("x", (1, 2))
    with pytest.raises(ValueError, match="input 1: expected a value"):
        builder.node("concat", [x, None, x])


def test_memory_stays_in_proportion_to_text(bounded_memory):
    zeros = b"[" + b"0," * (1 << 20) + b"0]"
    with pytest.raises(ValueError, match="tensor 'a': expected an object"):
        _core.parse_model_bytes(raw(b'{"a":' + zeros + b"}"))
    with pytest.raises(ValueError, match="graph: node: expected an object"):
        _core.parse_model_bytes(graph_file({"nodes": [[]] * (1 << 19)}))


def test_one_tensor_out_of_line_is_copied_once(bounded_memory):
    names = [{"name": f"c{i}", "tensor": "t"} for i in range(2000)]
    tensor = {"t": {"dtype": "F32", "shape": [1 << 20], "data_offsets": [0, 4 << 20]}}
    for pad in range(4):  # one of them at least lies out of line
        constants = {"constants": [{**names[0], "name": "c" * (pad + 1) + "_"}, *names]}
        outputs = {"outputs": [{"name": "y", "value": "c0"}]}
        _core.parse_model_bytes(graph_file(constants | outputs, tensor, bytes(4 << 20)))


def test_constants_that_grow_are_left_to_the_run(bounded_memory):
    tensor = {"t": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    nodes = [node("expand", ["t"], f"y{i}", shape=[1 << 28]) for i in range(2)]
    outputs = [{"name": f"y{i}", "value": f"y{i}"} for i in range(2)]
    constants = [{"name": "t", "tensor": "t"}]
    data = graph_file({"constants": constants, "nodes": nodes, "outputs": outputs}, tensor, b"abcd")
    graph, _ = _core.parse_model_bytes(data)
    model = _core.Model(graph, "fast", 1, None, {}, [], None, False)
    assert [step["op"] for step in model.steps()] == ["expand", "expand"]


def test_many_of_one_name_and_many_attributes_are_no_matter():
    """Quadratic in these, the reader would take minutes."""
    count = 30_000
    nodes = [{**node("relu", ["x"], f"y{i}"), "name": "same"} for i in range(count)]
    outputs = [{"name": "y", "value": "y0"}]
    graph, _ = _core.parse_model_bytes(graph_file({"inputs": [X], "nodes": nodes, "outputs": outputs}))
    assert graph.nodes()[-1]["name"] == f"same_{count}"
    inputs = [{**X, "name": f"x{i}"} for i in range(count)]
    _core.parse_model_bytes(graph_file({"inputs": inputs, "outputs": [{"name": "y", "value": "x0"}]}))
    many = node("relu", ["x"], "y", **{f"a{i}": 1 for i in range(count)})
    with pytest.raises(ValueError, match=r"node 'y' \(relu\): there is no attribute 'a0'"):
        _core.parse_model_bytes(graph_file({"inputs": [X], "nodes": [many]}))


@pytest.mark.parametrize(
    "text",
    [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xf0\x80\x80\x80", b"\x80"],
)
def test_names_are_utf8(text):
    with pytest.raises(ValueError, match=r"header: byte \d+: a string that is not UTF-8"):
        _core.parse_model_bytes(raw(b'{"' + text + b'":1}'))


def test_names_of_every_length_of_utf8():
    name = "aß€𝄞"
    graph = {"inputs": [{**X, "name": name}], "outputs": [{"name": name, "value": name}]}
    text = json.dumps({"constants": [], "nodes": [], **graph}, ensure_ascii=False)
    header = {"__metadata__": {"pyconv.version": "1", "pyconv.graph": text}}
    found, _ = _core.parse_model_bytes(raw(json.dumps(header, ensure_ascii=False).encode()))
    assert found.output_names == [name]


def test_numbers_have_a_point_in_every_locale():
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "pt_BR.UTF-8"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
            break
        except locale.Error:
            continue
    else:
        pytest.skip("no locale with a decimal comma is installed")
    try:
        outputs = [{"name": "y", "value": "y"}]
        graph, _ = _core.parse_model_bytes(
            graph_file({"inputs": [X], "nodes": [node("leaky_relu", ["x"], "y", alpha=0.25)], "outputs": outputs})
        )
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)
    assert graph.nodes()[0]["attributes"] == {"alpha": 0.25}


@pytest.mark.parametrize("options", ["[" * 100_000, '{"threads":' * 50_000, '{"threads":"x"}', '{"accuracy":"none"}'])
def test_options_are_refused_by_the_file_that_holds_them(tmp_path, options):
    builder = GraphBuilder()
    builder.outputs([builder.node("relu", [builder.input("x", (2, 3))])])
    path = tmp_path / "m"
    tensors, metadata = model_file.contents(builder.graph, {"pyconv.options": options})
    safetensors.save(path, tensors, metadata=metadata)
    with pytest.raises(ValueError) as raised:
        pyconv.load(path)
    assert str(raised.value).startswith(str(path))


def test_a_whole_number_beyond_64_bits_is_no_size():
    for size in (2**63, -(2**63) - 1, 2**64, 1.0):
        with pytest.raises(ValueError, match="input 'x' shape: expected an integer"):
            _core.parse_model_bytes(graph_file({"inputs": [{**X, "shape": [size]}]}))
    with pytest.raises(ValueError, match="at most 2"):
        _core.parse_model_bytes(graph_file({"inputs": [{**X, "shape": [2**63 - 1]}]}))


def test_cycles_cannot_be_written():
    nodes = [node("add", ["x", "b"], "a"), node("relu", ["a"], "b")]
    with pytest.raises(ValueError, match="node 'a': there is no value 'b' before it"):
        _core.parse_model_bytes(graph_file({"inputs": [X], "nodes": nodes}))
    with pytest.raises(ValueError, match="value 'x' is defined twice"):
        _core.parse_model_bytes(graph_file({"inputs": [X], "nodes": [node("relu", ["x"], "x")]}))


def test_bools_that_are_neither(tmp_path):
    tensor = {"t": {"dtype": "BOOL", "shape": [4], "data_offsets": [0, 4]}}
    graph = {
        "constants": [{"name": "t", "tensor": "t"}],
        "inputs": [{"name": "x", "dtype": "bool", "shape": [4]}],
        "nodes": [node("logical_and", ["x", "t"], "y")],
        "outputs": [{"name": "y", "value": "y"}],
    }
    path = tmp_path / "m"
    path.write_bytes(graph_file(graph, tensor, b"\x00\x01\x02\xff"))
    try:
        y = pyconv.load(path)(np.ones(4, bool))
    except ValueError as error:
        assert "t" in str(error)
    else:
        assert set(y.view(np.uint8).tolist()) <= {0, 1}


def test_a_name_with_a_nul_is_shown_whole():
    with pytest.raises(ValueError, match=r"input 'a\\0b' shape: expected an array"):
        _core.parse_model_bytes(graph_file({"inputs": [{**X, "name": "a\0b", "shape": 1}]}))
    with pytest.raises(ValueError, match=r"input 'a\\0b': there is one of this name already"):
        builder = GraphBuilder()
        for _ in range(2):
            builder.input("a\0b", (1,))


@pytest.mark.parametrize("op", ["relu", "exp", "softmax", "global_avg_pool", "neg", "identity", "reduce_sum"])
def test_billions_of_empty_images_are_no_work(op):
    builder = GraphBuilder()
    x = builder.input("x", (2**32, 2, 0, 1) if op != "global_avg_pool" else (2**32, 0, 3, 3))
    attributes = {"axes": [3]} if op == "reduce_sum" else {}
    builder.outputs([builder.node(op, [builder.node("tanh", [x])], **attributes)])
    model = pyconv.compile(builder)
    assert model(np.zeros(model.input_shapes["x"], np.float32)).size == 0


@pytest.mark.parametrize("groups", [2**63 - 1, 2**62, 2**40, 5, 0, -1])
@pytest.mark.parametrize(
    ("op", "shape"),
    [
        ("conv", (1, 4, 5, 5)), ("conv_nd", (1, 4, 5)),
        ("conv_transpose", (1, 4, 5, 5)), ("conv_transpose_nd", (1, 4, 5)),
        ("conv_transpose", (1, 0, 5, 5)), ("conv_transpose_nd", (1, 0, 5)),
    ],
)  # fmt: skip
def test_groups_beyond_the_channels(op, shape, groups):
    builder = GraphBuilder()
    x = builder.input("x", shape)
    weight = np.ones((shape[1], 2, *(3,) * (len(shape) - 2)), np.float32)
    with pytest.raises(ValueError, match="groups"):
        builder.node(op, [x, builder.constant(weight)], groups=groups)


@pytest.mark.parametrize("size", [2**63 - 1, 2**62, 2**41])
@pytest.mark.parametrize("name", ["padding", "output_padding"])
def test_paddings_whose_sum_overflows(name, size):
    builder = GraphBuilder()
    weight = builder.constant(np.ones((2, 2, 3, 3), np.float32))
    value = [size] * (4 if name == "padding" else 2)
    with pytest.raises(ValueError, match=f"{name}: expected"):
        builder.node("conv_transpose", [builder.input("x", (1, 2, 4, 4)), weight], **{name: value})
