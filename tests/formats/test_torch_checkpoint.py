"""torch's files: what they hold, and that nothing in them runs, reaches outside or grows."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconv.formats import load_torch_checkpoint, load_weights
from support.data import shared
from support.torch_files import (
    ORDERED_DICT,
    Call,
    Name,
    Raw,
    parameter,
    pickled,
    storage,
    tensor,
    write_stream,
    write_zip,
)

SIX = np.arange(6, dtype=np.float32)
WRITERS = ["zip", "stream"]


def write(kind, path, value, storages):
    """storages: key -> array."""
    if kind == "zip":
        return write_zip(path, value, {k: a.tobytes() for k, a in storages.items()})
    return write_stream(path, value, {k: (a.size, a.tobytes()) for k, a in storages.items()})


@pytest.fixture
def refused(tmp_path):
    """refused(value, message, storages={"0": SIX}): both readers refuse it with such a message."""

    def refuse(value, message, storages=None):
        storages = {"0": SIX} if storages is None else storages
        for kind in WRITERS:
            path = write(kind, tmp_path / kind, value, storages)
            with pytest.raises(ValueError) as error:
                load_torch_checkpoint(path)
            assert str(error.value).startswith(f"{path}: ")
            assert message in str(error.value)

    return refuse


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    "name, dtype",
    [
        ("FloatStorage", "float32"),
        ("DoubleStorage", "float64"),
        ("HalfStorage", "float16"),
        ("LongStorage", "int64"),
        ("IntStorage", "int32"),
        ("ShortStorage", "int16"),
        ("CharStorage", "int8"),
        ("ByteStorage", "uint8"),
        ("BoolStorage", "bool"),
    ],
)
def test_types(tmp_path, kind, name, dtype):
    array = np.array([0, 1, 1, 0, 1, 0]).astype(dtype)
    value = {"w": tensor("0", name, 6, (2, 3), (3, 1))}
    path = write(kind, tmp_path / "f", value, {"0": array})
    loaded = load_torch_checkpoint(path)["w"]
    assert loaded.dtype == np.dtype(dtype) and loaded.flags.c_contiguous and loaded.flags.writeable
    np.testing.assert_array_equal(loaded, array.reshape(2, 3))
    as_f32 = load_torch_checkpoint(path, dtype="float32")["w"]
    assert as_f32.dtype == (np.float32 if loaded.dtype.kind == "f" else loaded.dtype)
    np.testing.assert_array_equal(as_f32, loaded)


@pytest.mark.parametrize("kind", WRITERS)
def test_bfloat16_becomes_float32(tmp_path, kind):
    bits = np.array([0x3F80, 0xC000, 0x0001, 0x7F80, 0x8000], np.uint16)
    path = write(kind, tmp_path / "f", {"w": tensor("0", "BFloat16Storage", 5, (5,), (1,))}, {"0": bits})
    loaded = load_torch_checkpoint(path)["w"]
    np.testing.assert_array_equal(loaded.view(np.uint32), bits.astype(np.uint32) << 16)


@pytest.mark.parametrize("kind", WRITERS)
def test_views_of_a_storage(tmp_path, kind):
    value = {
        "whole": tensor("0", "FloatStorage", 6, (6,), (1,)),
        "transposed": tensor("0", "FloatStorage", 6, (3, 2), (1, 3)),
        "part": parameter(tensor("0", "FloatStorage", 6, (2, 2), (2, 1), 1)),
        "scalar": tensor("0", "FloatStorage", 6, (), (), 5),
        "empty": tensor("0", "FloatStorage", 6, (0, 9), (9, 1), 6),
    }
    loaded = load_torch_checkpoint(write(kind, tmp_path / "f", value, {"0": SIX}))
    assert list(loaded) == list(value)
    np.testing.assert_array_equal(loaded["transposed"], SIX.reshape(2, 3).T)
    np.testing.assert_array_equal(loaded["part"], SIX[1:5].reshape(2, 2))
    assert loaded["scalar"] == 5 and loaded["empty"].shape == (0, 9)
    assert all(array.flags.c_contiguous for array in loaded.values())
    assert np.shares_memory(loaded["whole"], loaded["part"])


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_the_state_dict_is_taken_out_of_what_is_around_it(tmp_path, wrapper):
    inner = Raw(
        pickled({"module.w": tensor("0", "FloatStorage", 6, (6,), (1,))})[2:-1] + b"}X\1\0\0\0mK\1sb"
    )  # with an attribute, as torch sets _metadata
    value = {"epoch": 3, "best": 91.7, wrapper: inner, "size": Call(Name("torch", "Size"), ((1, 2),))}
    path = write_zip(tmp_path / "f", value, {"0": SIX.tobytes()})
    assert list(load_torch_checkpoint(path)) == ["module.w"]
    assert list(load_weights(path, strip_prefix="module.")) == ["w"]


def test_a_prefix_must_not_merge_names(tmp_path):
    one = tensor("0", "FloatStorage", 6, (6,), (1,))
    path = write_zip(tmp_path / "f", {"module.w": one, "w": one}, {"0": SIX.tobytes()})
    with pytest.raises(ValueError, match="strip_prefix: without 'module.' two entries are named 'w'"):
        load_torch_checkpoint(path, strip_prefix="module.")


@pytest.mark.parametrize(
    "function",
    [
        Name("os", "system"),
        Name("builtins", "eval"),
        Name("numpy.core.multiarray", "scalar"),
        Name("torchvision.models.resnet", "ResNet"),
        Name("torch._utils", "_rebuild_qtensor"),
        Name("collections", "OrderedDict"),  # with arguments
    ],
)
def test_other_globals_are_refused_by_name(refused, function):
    message = f": {function.module}.{function.name} is refused: only dicts of tensors"
    refused({"w": Call(function, ("true",))}, message, {})


@pytest.mark.parametrize(
    "code, message",
    [
        (b"N0", "POP is not supported"),
        (b"ios\nsystem\n", "INST is not supported"),
        (b"(cos\nsystem\nX\4\0\0\0trueo", "OBJ is not supported"),
        (b"cos\nsystem\n)\x81", "NEWOBJ is not supported"),
        (b"S'\\g'\n", "the instruction STRING is not supported"),
        (b"cos\nsystem", "the file ends in the name of a global"),
        (b"\x8b\xff\xff\xff\xff", "expected -1 bytes"),
        (b"\x82\1", "EXT1 is not supported"),
        (b"Pkey\n", "PERSID is not supported"),
        (b"r\xff\xff\xff\x7f", "the stack is empty"),
        (b"h\7", "memo 7 was never stored"),
        (b"}}}}}sssss", "as a key is not supported"),
        (b"t", "no mark"),
        (b"}(K\1u", "a key without a value"),
        (b"NK\1K\1s", "expected a dict"),
        (b"K\1)R", "a call of something that is not a name"),
        (b"K\1Q", "a persistent id that is not a storage"),
        (b"NN", "values are left"),
        (b"X\xff\xff\xff\x7fab", "expected 2147483647 bytes"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fab", "bytes"),
        (b"\xff", "the instruction 0xff is not supported"),
    ],
)
def test_instructions(refused, code, message):
    refused(Raw(code), message)


F = "FloatStorage"


@pytest.mark.parametrize(
    "value, message",
    [
        (tensor("0", F, 6, (7,), (1,)), "ends at 7, the storage holds 6"),
        (tensor("0", F, 6, (2, 3), (4, 1)), "ends at 7"),
        (tensor("0", F, 6, (6,), (1,), 1), "ends at 7"),
        (tensor("0", F, 6, (2,), (2**62,)), "ends at"),
        (tensor("0", F, 6, (2**62,), (1,)), "ends at"),
        (tensor("0", F, 6, (0,), (1,), 7), "ends at 7"),
        (tensor("0", F, 6, (100, 100), (0, 0)), "expanded"),
        (tensor("0", F, 6, (6,), (-1,)), "integers of 0 or more"),
        (tensor("0", F, 6, (6,), (1,), -1), "integers of 0 or more"),
        (tensor("0", F, 6, (True,), (1,)), "integers of 0 or more"),
        (tensor("0", F, 6, (2**70,), (1,)), "integers of 0 or more"),
        (tensor("0", F, 6, (1,) * 33, (1,) * 33), "at most 32"),
        (tensor("0", F, 6, (6,), (1, 1)), "1 sizes, 2 strides"),
        (tensor("0", F, 6, [6], (1,)), "a shape and its strides"),
        (tensor("0", F, -6, (6,), (1,)), "needs a key and a count"),
        (tensor("0", "QInt8Storage", 6, (6,), (1,)), "torch.QInt8Storage: not a storage type"),
        (Call(Name("torch._utils", "_rebuild_tensor_v2"), (1, 2, 3, 4)), "a tensor needs a storage"),
        (storage("0", F, 6, ("1", 0, 3)), "a view of another storage"),
        (3, "'w': expected a tensor, got a int"),
        (Call(ORDERED_DICT, ()), "'w': expected a tensor, got a dict"),
    ],
)
def test_tensors(refused, value, message):
    refused({"w": value}, message)


@pytest.mark.parametrize("value", [tensor("0", F, 6, (6,), (1,)), [], 3])
def test_only_dicts(refused, value):
    refused(value, "expected a dict of tensors")


def test_a_dict_that_holds_itself_ends(refused):
    inner = b"}q\0X\12\0\0\0state_dicth\0s"
    refused(Raw(inner), "'state_dict': expected a tensor")


def test_two_tensors_agree_about_a_storage(refused):
    one, other = tensor("0", F, 6, (6,), (1,)), tensor("0", "IntStorage", 6, (6,), (1,))
    refused({"a": one, "b": other}, "disagree")


def test_a_bool_is_0_or_1(refused):
    value = {"w": tensor("0", "BoolStorage", 2, (2,), (1,))}
    refused(value, "storage 0: a bool is stored as 0 or 1, got 2", {"0": np.array([1, 2], np.uint8)})


def test_copies_are_bounded_by_the_file(refused):
    wide = np.zeros(10_000, np.float32)
    transposed = tensor("0", F, 10_000, (100, 100), (1, 100))
    message = "its transposed tensors together are larger than the file"
    refused({f"w{i}": transposed for i in range(100)}, message, {"0": wide})


def test_zip_members(tmp_path):
    value, path = {"w": tensor("0", F, 6, (6,), (1,))}, tmp_path / "f"

    def refuse(message, storages, **options):
        write_zip(path, value, storages, **options)
        with pytest.raises(ValueError, match=message):
            load_torch_checkpoint(path)

    refuse("storage 0: expected 24 bytes, missing", {})
    refuse("storage 0: expected 24 bytes, 23 bytes", {"0": bytes(23)})
    refuse("compressed or encrypted", {"0": bytes(24)}, compression=zipfile.ZIP_DEFLATED)
    refuse("big-endian", {"0": bytes(24)}, order="big")
    refuse("expected one <name>/data.pkl", {"0": bytes(24)}, folder="a/b")
    write_zip(path, value, {"0": SIX.tobytes()})
    data = bytearray(path.read_bytes())
    data[data.index(SIX.tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="CRC"):
        load_torch_checkpoint(path)


def test_stream_storages(tmp_path):
    value, path = {"w": tensor("0", F, 6, (6,), (1,))}, tmp_path / "f"

    def refuse(message, storages, **options):
        write_stream(path, value, storages, **options)
        with pytest.raises(ValueError, match=message):
            load_torch_checkpoint(path)

    good = {"0": (6, bytes(24))}
    refuse("expected 6 elements", {"0": (5, bytes(24))})
    refuse("the file ends before its 24 bytes", {"0": (6, bytes(23))})
    refuse("not that of the tensors", good, keys=[])
    refuse("not that of the tensors", good, keys=["0", "0"])
    refuse("list of storages is missing", good, keys=[0])
    refuse("little-endian", good, little=False)
    refuse("version 1001", good, protocol=1002)


def test_not_a_checkpoint(tmp_path):
    for data in (b"", b"PK\3\4", b"GIF89a", pickled({"w": 1}), bytes(1000)):
        (tmp_path / "f").write_bytes(data)
        with pytest.raises(ValueError):
            load_torch_checkpoint(tmp_path / "f")
    with pytest.raises(FileNotFoundError):
        load_torch_checkpoint(tmp_path / "nothing")


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The bytes of a good file of each kind, and a path to write bad ones to."""
    folder = tmp_path_factory.mktemp("damaged")
    value = {"state_dict": {"a": tensor("0", F, 6, (2, 3), (3, 1)), "b": tensor("0", F, 6, (3, 2), (1, 3))}}
    return {
        kind: write(kind, folder / kind, value, {"0": SIX}).read_bytes() for kind in WRITERS
    }, folder / "f"


@given(st.data())
def test_damaged_files_raise_nothing_but_value_error(originals, data):
    files, path = originals
    damaged = bytearray(files[data.draw(st.sampled_from(WRITERS))])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged[: data.draw(st.integers(0, 3)) * -len(damaged) // 4 or None])
    try:
        loaded = load_torch_checkpoint(path)
    except ValueError:
        return
    assert sum(array.nbytes for array in loaded.values()) <= 4 * len(damaged)


def test_what_torch_writes(tmp_path):
    torch = pytest.importorskip("torch")
    state = {
        "conv.weight": torch.nn.Parameter(torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)),
        "half": torch.randn(5).half(),
        "bfloat": torch.randn(5).bfloat16(),
        "count": torch.tensor(7),
        "part": torch.arange(20.0).reshape(4, 5).t()[1:3],
    }
    for new in (True, False):
        torch.save({"epoch": 1, "state_dict": state}, tmp_path / "f", _use_new_zipfile_serialization=new)
        loaded = load_torch_checkpoint(tmp_path / "f")
        assert list(loaded) == list(state)
        for name, value in state.items():
            expected = value.detach().float() if value.dtype == torch.bfloat16 else value.detach()
            np.testing.assert_array_equal(loaded[name], expected.numpy())


@pytest.mark.parametrize(
    "file, parameters", [("resnet20-12fca82f.th", 269_722), ("resnet56-4bfd9763.th", 853_018)]
)
def test_the_published_cifar_checkpoints(file, parameters):
    state = load_torch_checkpoint(shared("models", file), strip_prefix="module.")
    assert state["conv1.weight"].shape == (16, 3, 3, 3) and state["linear.weight"].shape == (10, 64)
    learned = sum(array.size for name, array in state.items() if "running" not in name)
    assert learned == parameters
