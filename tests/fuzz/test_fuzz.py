"""A few thousand spoiled files for every reader, the same ones every time; README.md has the long runs."""

from __future__ import annotations

import importlib.util
import platform
import warnings
from pathlib import Path

import pytest

if platform.system() != "Linux":
    pytest.skip("reads /proc/self/statm", allow_module_level=True)


@pytest.fixture(scope="module")
def readers():
    spec = importlib.util.spec_from_file_location("fuzz_readers", Path(__file__).with_name("readers.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("kind", "executions"),
    [("onnx", 2500), ("model_file", 4000), ("safetensors", 2000), ("npz", 1000), ("torch", 1500)],
)
def test_spoiled_files_are_read_or_refused(readers, kind, executions, monkeypatch):
    if kind == "onnx":
        importer = pytest.importorskip("pyconv.formats.onnx.importer")
        pytest.importorskip("onnx")
        monkeypatch.setattr(importer, "MOST_MADE", importer.MOST_MADE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy on headers of another Python
        taken, grown = readers.fuzz(kind, executions)
    assert 0 < taken < executions
    assert grown < 100 << 20
