"""Safetensors: written and read back, against the format's own package, and hostile headers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconv.formats import load_weights, safetensors

TYPES = [
    "float64",
    "float32",
    "float16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint64",
    "uint32",
    "uint16",
    "uint8",
    "bool",
]


def write(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(dtype="F32", shape=(2,), begin=0, end=8, **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end], **more}


@pytest.fixture
def refused(tmp_path):
    def refuse(message, header, data=bytes(8)):
        path = write(tmp_path / "f", header, data)
        for reader in (safetensors.load, safetensors.read_header):
            with pytest.raises(ValueError) as error:
                reader(path)
            assert str(error.value).startswith(f"{path}: ") and message in str(error.value)

    return refuse


def sample():
    return {
        name: (np.arange(12) % 2 if name == "bool" else np.arange(12)).astype(name).reshape(3, 4)
        for name in TYPES[::-1]
    }


def test_what_is_written_is_read(tmp_path):
    tensors = sample() | {"empty": np.zeros((0, 3), np.float32), "scalar": np.array(2.5)}
    path = tmp_path / "a.safetensors"
    safetensors.save(path, tensors, metadata={"network": "é\n"})
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
    loaded = safetensors.load(path)
    assert list(loaded) == list(tensors)
    for name, array in tensors.items():
        assert loaded[name].dtype == array.dtype and not loaded[name].flags.writeable
        np.testing.assert_array_equal(loaded[name], array)
    header = safetensors.read_header(path)
    assert header.metadata == {"network": "é\n"} and header.data_start % 64 == 0
    assert header.tensors["bool"].shape == (3, 4)
    assert list(load_weights(path)) == list(tensors)


def test_transposed_and_big_endian_arrays_are_written_as_their_values(tmp_path):
    array = np.arange(6, dtype=">f4").reshape(2, 3).T
    safetensors.save(tmp_path / "f", {"a": array})
    np.testing.assert_array_equal(safetensors.load(tmp_path / "f")["a"], array)


def test_conversion_and_prefix(tmp_path):
    safetensors.save(tmp_path / "f", {"net.w": np.array([0.5, 2]), "net.n": np.array([3])})
    loaded = safetensors.load(tmp_path / "f", dtype="float32", strip_prefix="net.")
    assert loaded["w"].dtype == np.float32 and loaded["n"].dtype == np.int64
    with pytest.raises(ValueError, match="dtype: expected a floating type or None, got int32"):
        safetensors.load(tmp_path / "f", dtype="int32")


def test_bfloat16_becomes_float32(tmp_path):
    bits = np.array([0x3F80, 0xC000, 0x7FC0], np.uint16)
    write(tmp_path / "f", {"a": entry("BF16", (3,), 0, 6)}, bits.tobytes())
    loaded = safetensors.load(tmp_path / "f")["a"]
    np.testing.assert_array_equal(loaded.view(np.uint32), bits.astype(np.uint32) << 16)


def test_data_that_the_file_does_not_align(tmp_path):
    header = {"a": entry("U8", (3,), 0, 3), "b": entry("F32", (2,), 3, 11)}
    for spaces in range(8):
        text = json.dumps(header).encode() + b" " * spaces
        write(tmp_path / "f", text, b"\1\2\3" + np.array([1, 2], "<f4").tobytes())
        loaded = safetensors.load(tmp_path / "f")
        assert loaded["b"].flags.aligned and loaded["b"].tolist() == [1, 2]


def test_save_names_what_it_cannot_write(tmp_path):
    path = tmp_path / "f"
    good = np.zeros(2, np.float32)
    for error, message, tensors, metadata in [
        (ValueError, r"tensors\['a'\]: expected one of float64.*complex64", {"a": good.astype("c8")}, None),
        (TypeError, r"tensors\['a'\]: expected a numpy array, got list", {"a": [1.0]}, None),
        (TypeError, "tensors: expected names as keys", {3: good}, None),
        (ValueError, "'__metadata__' is not a name", {"__metadata__": good}, None),
        (TypeError, "metadata: expected text by name", {"a": good}, {"epoch": 3}),
    ]:
        with pytest.raises(error, match=message):
            safetensors.save(path, tensors, metadata=metadata)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "message, header",
    [
        ("leaves a hole before it: begins at 4, expected 0", {"a": entry(shape=(1,), begin=4)}),
        ("overlaps another tensor", {"a": entry(), "b": entry(shape=(1,), begin=4)}),
        ("overlaps another tensor", {"a": entry(), "b": entry()}),
        ("the tensors end at 4, the data at 8", {"a": entry(shape=(1,), end=4)}),
        ("the tensors end at 12, the data at 8", {"a": entry(shape=(3,), end=12)}),
        ("the tensors end at 0, the data at 8", {}),
        ("F32 of shape [3] takes 12 bytes, got 0..8", {"a": entry(shape=(3,))}),
        ("F64 of shape [2] takes 16 bytes", {"a": entry("F64")}),
        ("takes", {"a": entry(shape=(2**62, 2**62))}),
        ("takes 8 bytes, got 8..0", {"a": entry(begin=8, end=0)}),
        ("dtype 'F8_E4M3' is not supported", {"a": entry("F8_E4M3", (8,))}),
        ("dtype ['F32'] is not supported", {"a": entry(["F32"])}),
        ("shape: expected", {"a": entry(shape=(-2, -1))}),
        ("shape: expected", {"a": entry(shape=(2.0,))}),
        ("shape: expected", {"a": entry(shape=(True, 2))}),
        ("shape: expected", {"a": entry(shape=(2**63, 0))}),
        ("shape: expected at most 32", {"a": entry(shape=(1,) * 33)}),
        ("shape: expected", {"a": {"dtype": "F32", "shape": 2, "data_offsets": [0, 8]}}),
        ("data_offsets: expected", {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8, 9]}}),
        ("data_offsets: expected", {"a": entry(begin=-8, end=0)}),
        ("expected dtype, shape and data_offsets", {"a": {"dtype": "F32", "shape": [2]}}),
        ("expected dtype, shape and data_offsets", {"a": entry(more=1)}),
        ("expected dtype, shape and data_offsets", {"a": 3}),
        ("__metadata__: expected text by name", {"__metadata__": {"epoch": 3}, "a": entry()}),
        ("__metadata__: expected text by name", {"__metadata__": [], "a": entry()}),
        ("'a' stands there twice", b'{"a":{},"a":{}}'),
        ("'x' stands there twice", b'{"__metadata__":{"x":"1","x":"2"}}'),
        ("header: NaN is not JSON", b'{"a":NaN}'),
        ("does not begin with '{'", b' {"a":1}'),
        ("does not begin with '{'", b"[]"),
        ("nested too deeply", b'{"a":' + b"[" * 200_000),
        ("", b'{"a":'),
        ("", b'{"a":"\xff"}'),
        ("", b'{"a":' + b"9" * 10_000 + b"}"),
    ],
)
def test_headers(refused, message, header):
    refused(message, header)


def test_length_of_the_header(tmp_path):
    for length in (9, 2**63, 2**64 - 1):
        (tmp_path / "f").write_bytes(length.to_bytes(8, "little") + b"{}      ")
        with pytest.raises(ValueError, match=f"a header of {length} bytes in a file of 16"):
            safetensors.load(tmp_path / "f")
    for size in (0, 1, 7):
        (tmp_path / "f").write_bytes(bytes(size))
        with pytest.raises(ValueError, match="shorter than 8 bytes"):
            safetensors.load(tmp_path / "f")


def test_a_header_above_the_bound(tmp_path):
    with (tmp_path / "f").open("wb") as file:
        file.write((safetensors.MAX_HEADER + 1).to_bytes(8, "little") + b"{")
        file.truncate(safetensors.MAX_HEADER + 100)  # a hole: takes no room
    with pytest.raises(ValueError, match="at most 100000000"):
        safetensors.load(tmp_path / "f")


def test_a_bool_is_0_or_1(tmp_path):
    write(tmp_path / "f", {"a": entry("BOOL", (2,), 0, 2)}, b"\1\2")
    with pytest.raises(ValueError, match="'a': a bool is stored as 0 or 1, got 2"):
        safetensors.load(tmp_path / "f")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "f"
    safetensors.save(path, {"a": np.zeros((2, 3), np.float32), "b": np.zeros(5, np.uint8)})
    return path, path.read_bytes()


@given(st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_files_raise_nothing_but_value_error(original, changes):
    path, data = original
    damaged = bytearray(data)
    for position, value in changes:
        damaged[position % len(damaged)] = value
    path.with_name("damaged").write_bytes(damaged)
    try:
        loaded = safetensors.load(path.with_name("damaged"))
    except ValueError:
        return
    assert sum(array.nbytes for array in loaded.values()) <= 2 * len(damaged)


def test_the_formats_own_package_reads_and_writes_the_same(tmp_path):
    theirs = pytest.importorskip("safetensors.numpy")
    tensors = sample()
    safetensors.save(tmp_path / "ours", tensors, metadata={"a": "b"})
    theirs.save_file(tensors, tmp_path / "theirs", metadata={"a": "b"})
    for loaded in (theirs.load_file(tmp_path / "ours"), safetensors.load(tmp_path / "theirs")):
        assert loaded.keys() == tensors.keys()
        for name, array in tensors.items():
            np.testing.assert_array_equal(loaded[name], array)
    assert safetensors.read_header(tmp_path / "theirs").metadata == {"a": "b"}
