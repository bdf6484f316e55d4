"""Building and importing: what setup.py promises, and which pyconv is found from the source tree."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import version as installed_version
from pathlib import Path
from types import SimpleNamespace

import pytest

import pyconv

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def build():
    """setup.py as a module."""
    pytest.importorskip("setuptools")
    spec = importlib.util.spec_from_file_location("pyconv_setup", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(code, cwd, path):
    """Runs code in a fresh interpreter with `path` first on sys.path, as `python -m` does."""
    code = f"import sys; sys.path.insert(0, {str(path)!r}); {code}"
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True)


def source_tree(folder, *, built):
    """A source tree as far as imports go, with or without an extension in it."""
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=shutil.ignore_patterns("peers"))
    (folder / "pyconv").mkdir()
    shutil.copy(ROOT / "pyconv" / "__init__.py", folder / "pyconv")
    shutil.copy(ROOT / "pyconv" / "_version.py", folder / "pyconv")
    if built:
        (folder / "pyconv" / "_core.cpython-0.so").touch()
    return folder


def test_version_stands_in_one_place(build):
    assert pyconv.__version__ == build.version() == pyconv._core.__version__
    assert installed_version("pyconv-engine") == pyconv.__version__
    assert f"version: {pyconv.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {pyconv.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_package_carries_its_data():
    package = Path(pyconv.__file__).parent
    assert (package / "py.typed").exists()
    assert (package / "bench" / "shapes" / "tails.txt").exists()
    assert (package / "_core.pyi").exists()
    assert 10_000 < (package / "data" / "astronaut.jpg").stat().st_size < 100_000
    assert 240_000 < (package / "data" / "lenet5_mnist.safetensors").stat().st_size < 300_000
    assert 5_000 < (package / "data" / "mnist_digits.npz").stat().st_size < 10_000


def test_benchmarks_find_the_installed_package(tmp_path):
    tree = source_tree(tmp_path, built=False)
    found = run("import benchmarks, pyconv; print(pyconv.__file__)", tmp_path.parent, tree)
    assert found.stderr == ""
    assert tree not in Path(found.stdout.strip()).parents


def test_benchmarks_keep_a_tree_that_is_built(tmp_path):
    tree = source_tree(tmp_path, built=True)
    found = run(f"import benchmarks; print({str(tree)!r} in sys.path)", tree, tree)
    assert found.stdout == "True\n"


def test_a_tree_without_extension_says_what_to_do(tmp_path):
    tree = source_tree(tmp_path, built=False)
    failed = run("import pyconv", tree, tree)
    message = failed.stderr.strip().splitlines()[-1]
    assert message.startswith("ImportError: pyconv")
    assert "pip install" in message


@pytest.mark.parametrize(
    "flag",
    "-march=native -mcpu=native -mavx2 -mno-sse4.1 -mfma -ffast-math -Ofast -flto=auto -fno-signed-zeros "
    "-funsafe-math-optimizations -ffinite-math-only -ffp-contract=fast -ffp-model=fast -mfpmath=387 "
    "-fwrapv -fno-strict-overflow".split(),
)
def test_flags_that_break_the_contract_are_dropped(build, flag):
    compiler = SimpleNamespace(executables={"compiler_so": 0, "archiver": 0}, archiver=None)
    compiler.compiler_so = ["g++", flag, "-fsanitize=address", "-O2", "-m64", "-fPIC", "-march=native"]
    assert build.drop_forbidden_flags(compiler) == list(dict.fromkeys([flag, "-march=native"]))
    assert compiler.compiler_so == ["g++", "-fsanitize=address", "-O2", "-m64", "-fPIC"]


def test_a_missing_compiler_is_named(build):
    compiler = SimpleNamespace(compiler_type="unix", compiler_so=["no-such-compiler"])
    with pytest.raises(build.PlatformError, match=r"'no-such-compiler' was not found.*apt install g\+\+"):
        build.require_toolchain(compiler)


def test_build_jobs_follow_environment_and_affinity(build, monkeypatch):
    monkeypatch.setenv("PYCONV_BUILD_JOBS", "3")
    assert build.build_jobs() == 3
    monkeypatch.delenv("PYCONV_BUILD_JOBS")
    assert 1 <= build.build_jobs() <= os.cpu_count()


@pytest.fixture
def project(build, tmp_path, monkeypatch):
    """Two sources, one header, and a function that compiles and tells which sources it compiled."""
    pytest.importorskip("pybind11")
    from distutils.ccompiler import new_compiler  # setuptools' own, once it is imported
    from distutils.sysconfig import customize_compiler

    compiler = new_compiler()
    customize_compiler(compiler)
    try:
        build.require_toolchain(compiler)
    except build.PlatformError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("one.h").write_text("inline int one() { return 1; }\n")
    Path("uses.cpp").write_text('#include "one.h"\nint uses() { return one(); }\n')
    Path("plain.cpp").write_text("int plain() { return 2; }\n")

    def compile_project(**options):
        compiled = []

        def compile_some(sources, **rest):
            compiled.extend(sources)
            compiler.compile(sources, **rest)

        options = {"output_dir": "objects", "extra_postargs": ["-O0"], **options}
        objects = build.compile_outdated(compiler, compile_some, ["uses.cpp", "plain.cpp"], 2, options)
        assert all(Path(o).exists() for o in objects)
        return sorted(compiled)

    return compile_project


def touch_later(name):
    later = time.time() + 5
    os.utime(name, (later, later))


def test_only_what_changed_is_compiled(project):
    assert project() == ["plain.cpp", "uses.cpp"]
    assert project() == []
    touch_later("one.h")
    assert project() == ["uses.cpp"]
    assert project(extra_postargs=["-O1"]) == ["plain.cpp", "uses.cpp"]
    Path("objects/plain.o").unlink()
    assert "plain.cpp" in project(extra_postargs=["-O1"])


def test_a_source_that_fails_is_compiled_again(project, build):
    Path("plain.cpp").write_text("this is no C++\n")
    with pytest.raises(build.CompileError):
        project()
    Path("plain.cpp").write_text("int plain() { return 2; }\n")
    assert "plain.cpp" in project()


def test_readme_and_ci_name_the_same_commands():
    readme = (ROOT / "README.md").read_text()
    assert "pip install '.[study]' && pyconv study\n" in readme
    assert "pip install '.[test]' && pytest\n" in readme
    assert re.search(r"pip install '\.\\\[test\\\]' && pytest", (ROOT / ".ci" / "run").read_text())
