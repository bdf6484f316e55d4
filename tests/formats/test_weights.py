"""npz files, and telling formats apart by their content."""

from __future__ import annotations

import io
import re
import zipfile

import numpy as np
import pytest

from pyconv.formats import kind_of, load_npz, load_weights, safetensors
from support.torch_files import tensor, write_stream, write_zip

SIX = np.arange(6, dtype=np.float32)


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    arrays = {
        "module.w": SIX.reshape(2, 3).T,
        "module.n": np.array(3),
        "big": SIX.astype(">f4"),
        "double": SIX.astype(np.float64),
        "empty": np.zeros((0, 4), np.float16),
        "flags": np.array([True, False]),
    }
    save(tmp_path / "f.npz", **arrays)
    loaded = load_npz(tmp_path / "f.npz", strip_prefix="module.")
    assert list(loaded) == ["w", "n", "big", "double", "empty", "flags"]
    for array, expected in zip(loaded.values(), arrays.values()):
        assert array.flags.c_contiguous and array.dtype == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(array, expected)
    assert load_npz(tmp_path / "f.npz", dtype="float32")["double"].dtype == np.float32


def test_npz_refuses(tmp_path):
    good = npy(SIX)
    shape = good.index(b"(6,)")
    lie = good[:shape] + b"(9,)" + good[shape + 4 :]
    for message, members in [
        ("'a': expected numbers or bool, got object", {"a.npy": npy(np.array([{}], object))}),
        ("'a': expected numbers or bool, got <U1", {"a.npy": npy(np.array(["x"]))}),
        (r"'a': float32 of shape \(9,\) takes 36 bytes", {"a.npy": lie}),
        ("takes 24 bytes, the member holds others", {"a.npy": good[:-1]}),
        ("expected names that end in .npy", {"a.txt": good}),
        ("'a': ", {"a.npy": b"\x93NUMPY\3\0" + good[8:]}),
        ("'a': ", {"a.npy": b"nonsense"}),
        ("'a': ", {"a.npy": b""}),
    ]:
        with pytest.raises(ValueError, match=message):
            load_npz(write(tmp_path / "f", members))
    write(tmp_path / "f", {"a.npy": npy(np.zeros(1_000_000))}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="take 8000128 bytes, max_bytes is 1000000"):
        load_npz(tmp_path / "f", max_bytes=1_000_000)
    (tmp_path / "f").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="not a zip file"):
        load_npz(tmp_path / "f")


def test_an_npy_header_that_is_no_python_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    for header in ("{'descr': (", "{'descr': '<f4',\x00", "((((", "{'descr': [], 'fortran_order': 0, 'shape': (}"):
        text = header.encode().ljust(118, b" ") + b"\n"
        member = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
        write(path, {"a.npy": member})
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: 'a': .{{8}}"):
            load_npz(path)


def test_the_content_says_what_a_file_is(tmp_path):
    value = {"w": tensor("0", "FloatStorage", 6, (6,), (1,))}
    path = tmp_path / "weights.bin"
    writers = {
        "torch": [
            lambda: write_zip(path, value, {"0": SIX.tobytes()}),
            lambda: write_stream(path, value, {"0": (6, SIX.tobytes())}),
        ],
        "safetensors": [lambda: safetensors.save(path, {"w": SIX})],
        "npz": [lambda: write(path, {"w.npy": npy(SIX)})],
    }
    for kind, ways in writers.items():
        for way in ways:
            way()
            assert kind_of(path) == kind
            np.testing.assert_array_equal(load_weights(path)["w"], SIX)


def test_anything_else_is_refused(tmp_path):
    path = tmp_path / "weights.bin"
    for data in (b"", b"\x89HDF\r\n\x1a\n", b"PK\3\4", b"\x08\x09\x12\x07pytorch"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="weights.bin: "):
            load_weights(path)
    with pytest.raises(ValueError, match="expected a torch checkpoint, a safetensors file or an npz file"):
        load_weights(write(path, {"word/document.xml": b""}))
    with pytest.raises(FileNotFoundError):
        load_weights(tmp_path / "nothing")
