"""The rules of the house, held by reading the source: layers, intrinsics, stub, lint, types, docs."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pyconv

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
FILES = sorted(p for p in CSRC.rglob("*") if p.suffix in (".h", ".cpp", ".inc"))
LAYERS = {"base": 0, "simd": 1, "kernels": 2, "ops": 3, "net": 4, "bindings": 5, "capi": 5, "tools": 6}
ISA_FILE = re.compile(r"kernels/.*_(scalar|avx2|avx512|neon)\.(cpp|h|inl\.h)$")
INTRINSICS = re.compile(r"\b(_mm\d*_\w+|__m(128|256|512)[id]?|v(ld|st)\d+q?_\w+|float32x4_t)\b")
VENDOR = re.compile(r"<([a-z0-9]*mmintrin|arm_neon|cpuid|intrin)\.h>")
SYSTEM = re.compile(r"<(sys/|linux/|mach/|windows|unistd|pthread|sched|fcntl|dlfcn|signal|thread>)")
EXTRAS = {"click", "rich", "matplotlib", "PIL", "onnx", "torch"}
LONG = 500  # lines; a longer file says in its head why it is one: "One file because ..."


def name(path):
    return path.relative_to(ROOT).as_posix()


def layer(path):
    return path.relative_to(CSRC).parts[0]


def includes(path):
    return re.findall(r'^\s*#\s*include\s+([<"][^>"]+[>"])', path.read_text(), re.M)


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def test_every_folder_is_a_layer():
    assert {layer(p) for p in FILES} <= LAYERS.keys()


def test_a_layer_includes_only_what_stands_below():
    offences = []
    for path in FILES:
        own = layer(path)
        for included in includes(path):
            other = included.strip('<>"').split("/")[0]
            if other in LAYERS and own != other and LAYERS[own] <= LAYERS[other]:
                offences.append(f"{name(path)} ({own}) includes {included}")
    assert offences == []


def test_includes_are_named_from_csrc():
    """So that the layer can be read from the line."""
    missing = [
        f"{name(path)}: {included}"
        for path in FILES
        for included in includes(path)
        if included.startswith('"') and not (CSRC / included.strip('"')).exists()
    ]
    assert missing == []


def test_python_stays_in_bindings():
    offences = [
        name(path)
        for path in FILES
        if layer(path) != "bindings" and re.search(r"pybind11|Python\.h|PyObject", path.read_text())
    ]
    assert offences == []


def test_intrinsics_stand_in_simd_and_isa_files():
    offences = [
        f"{name(path)}: {found[0]}"
        for path in FILES
        if layer(path) != "simd"
        and not ISA_FILE.search(name(path))
        and (found := INTRINSICS.search(without_comments(path.read_text())))
    ]
    assert offences == []


def test_vendor_headers_stay_below_ops():
    offences = [
        f"{name(path)} includes {included}"
        for path in FILES
        for included in includes(path)
        if layer(path) not in ("base", "simd", "kernels") and VENDOR.match(included)
    ]
    assert offences == []


def test_inline_assembly_stands_in_simd():
    offences = [
        name(path)
        for path in FILES
        if layer(path) != "simd" and re.search(r"\b(__asm__|asm)\b", without_comments(path.read_text()))
    ]
    assert offences == []


def test_calls_to_the_system_stand_in_base():
    offences = [
        f"{name(path)} includes {included}"
        for path in FILES
        for included in includes(path)
        if layer(path) not in ("base", "tools") and SYSTEM.match(included)
    ]
    assert offences == []


def test_headers_are_guarded_and_bodies_are_not():
    offences = [
        name(path)
        for path in FILES
        if path.suffix == ".h"
        and ("#pragma once" in path.read_text()) == path.name.endswith(".inl.h")
        and layer(path) != "simd"
    ]
    assert offences == []


def test_long_files_say_why():
    folders = [ROOT / folder for folder in ("csrc", "pyconv", "tests", "benchmarks")]
    offences = []
    for path in (p for folder in folders for p in folder.rglob("*")):
        if path.suffix not in (".h", ".cpp", ".inc", ".py", ".pyx", ".pyi"):
            continue
        lines = path.read_text().splitlines()
        if len(lines) > LONG and "One file because" not in "\n".join(lines[:20]):
            offences.append(f"{name(path)}: {len(lines)} lines")
    assert offences == []


def stub_names(body):
    """Names that a stub declares in one scope, and for classes those inside."""
    names = {}
    for node in body:
        if isinstance(node, ast.ClassDef):
            names[node.name] = stub_names(node.body)
        elif isinstance(node, ast.FunctionDef):
            names[node.name] = None
        elif isinstance(node, ast.AnnAssign):
            names[node.target.id] = None
    return names


def public(thing):
    return {n for n in dir(thing) if not n.startswith("_")}


def test_stub_declares_what_the_extension_offers():
    declared = stub_names(ast.parse((ROOT / "pyconv" / "_core.pyi").read_text()).body)
    core = pyconv._core
    assert {n for n in declared if not n.startswith("_")} == public(core)
    for class_name, members in declared.items():
        if members is not None:
            inherited = public(getattr(core, class_name).__base__)
            offered = public(getattr(core, class_name)) - inherited
            assert {m for m in members if not m.startswith("_")} == offered, class_name


def modules():
    """Every module of the package that imports here."""
    found = [pyconv]
    for info in pkgutil.walk_packages(pyconv.__path__, "pyconv."):
        if info.name.endswith("__main__") or info.name.startswith("pyconv.bench.peers."):
            continue  # other engines: what they do when imported is their affair
        try:
            found.append(importlib.import_module(info.name))
        except ImportError as error:
            if (error.name or "").split(".")[0] not in EXTRAS:
                raise
    return found


def test_examples_of_the_extension_run():
    finder = doctest.DocTestFinder()
    for test in (t for n in public(pyconv._core) for t in finder.find(getattr(pyconv._core, n), n)):
        assert doctest.DocTestRunner().run(test).failed == 0


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_examples_run(module):
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_examples_of_the_readme_run():
    if not (ROOT / "README.md").exists():
        pytest.skip("README.md is not part of this tree")
    assert doctest.testfile(str(ROOT / "README.md"), module_relative=False).failed == 0


def is_record(thing):
    """What functions return or raise, and nobody makes."""
    return dataclasses.is_dataclass(thing) or (inspect.isclass(thing) and issubclass(thing, BaseException))


def test_public_names_are_documented_with_an_example():
    undocumented, without_example = [], []
    for public_name in pyconv.__all__:
        thing = getattr(pyconv, public_name)
        if not (inspect.isroutine(thing) or inspect.isclass(thing)):
            continue
        text = inspect.getdoc(thing) or ""
        if not text:
            undocumented.append(public_name)
        elif ">>>" not in text and not is_record(thing):
            without_example.append(public_name)
    assert (undocumented, without_example) == ([], [])


def test_import_needs_numpy_alone():
    code = "import sys; before = set(sys.modules); import numpy; known = set(sys.modules); import pyconv; "
    code += "print(*{m.split('.')[0] for m in set(sys.modules) - known} - set(sys.stdlib_module_names))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "tests")
    assert set(done.stdout.split()) <= {"pyconv", "numpy"}, done.stderr


def tool(module, *arguments):
    pytest.importorskip(module)
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff():
    tool("ruff", "check", "--no-cache", ".")


def test_mypy(tmp_path):
    tool("mypy", "--cache-dir", str(tmp_path))
