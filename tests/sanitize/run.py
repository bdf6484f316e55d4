"""Builds the extension with AddressSanitizer and UBSan and runs tests on it, then looks for leaks.

    python tests/sanitize/run.py [pytest arguments]

Without arguments: all tests but those of lint, docs, packaging and object code, which run no kernel of this build.
The extension in Cython is built likewise. Objects stay in build/sanitize and are rebuilt when a source or a header
they include is younger. Needs GCC or clang with both runtimes, pybind11, Cython, and what the tests need.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support import cpp_build  # noqa: E402

HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "sanitize"
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
FLAGS = ["-std=c++17", "-O1", "-g1", "-fPIC", "-ffp-contract=off", "-fvisibility=hidden"]
FLAGS += ['-DPYCONV_VERSION="sanitized"']
ELSEWHERE = ("capi", "tools")  # folders of csrc that are no part of the extension
FOLDERS = ("kernels", "ops", "net", "formats", "base", "trust", "fuzz", "bench", "onnx", "zoo", "study")
FILES = ("exact_bits", "bad_input", "bad_input_everywhere", "ladder", "preprocess")
TESTS = [f"tests/{name}" for name in FOLDERS] + [f"tests/test_{name}.py" for name in FILES]


def compiler():
    return shlex.split(os.environ.get("CXX", "c++"))


def build() -> Path:
    """The extension, in a folder to put before all others on PYTHONPATH."""
    import pybind11

    includes = [cpp_build.CSRC, pybind11.get_include(), sysconfig.get_path("include")]
    common = compiler() + FLAGS + SANITIZE + [f"-I{path}" for path in includes]
    units = [(source, common) for source in cpp_build.sources(without=ELSEWHERE)]
    objects, changed = cpp_build.compile_stale(units, BUILD / "objects")
    package = BUILD / "site" / "pyconv"
    refer(ROOT / "pyconv", package, without=("study",))
    refer(ROOT / "pyconv" / "study", package / "study")
    extension = package / f"_core{SUFFIX}"
    if changed or not extension.exists():
        link = [*compiler(), *SANITIZE, "-shared", *map(str, objects), "-pthread", "-o", str(extension)]
        subprocess.run(link, check=True)
    build_ladder(package / "study" / f"ladder{SUFFIX}")
    return package.parent


def refer(origin: Path, folder: Path, without: tuple[str, ...] = ()) -> None:
    """A folder of links to what stands in another, extensions apart."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_symlink():
            entry.unlink()
    for entry in origin.iterdir():
        if entry.suffix != ".so" and entry.name not in ("__pycache__", *without):
            (folder / entry.name).symlink_to(entry)


def build_ladder(extension: Path) -> None:
    source, made = ROOT / "pyconv" / "study" / "ladder.pyx", BUILD / "ladder.c"
    if extension.exists() and extension.stat().st_mtime > source.stat().st_mtime:
        return
    subprocess.run([sys.executable, "-m", "cython", "-3", str(source), "-o", str(made)], check=True)
    flags = [
        *SANITIZE,
        "-O1",
        "-g1",
        "-fPIC",
        "-w",
        f"-I{sysconfig.get_path('include')}",
        f"-I{numpy.get_include()}",
    ]
    subprocess.run([*compiler(), "-x", "c++", *flags, "-shared", str(made), "-o", str(extension)], check=True)


LEAKS = "detect_leaks=1:leak_check_at_exit=0"
# Leaks are what nothing points to while everything still stands, so that neither what Python never frees at
# its end nor what pytest still holds is among them.
CHECK = """
import ctypes, gc, sys
import pytest
import pyconv._core as core
assert core.__file__.startswith(sys.argv[1]), core.__file__
result = pytest.main(sys.argv[2:])
gc.collect()
leaks = ctypes.CDLL(None).__lsan_do_recoverable_leak_check()
sys.exit(int(result) or (23 if leaks else 0))
"""


def runtime(name: str) -> str:
    command = [*compiler(), f"-print-file-name={name}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def options(name: str, ours: str) -> str:
    return f"{ours}:{os.environ[name]}" if os.environ.get(name) else ours


def main(arguments: list[str]) -> int:
    site = build()
    environment = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join((str(site), str(ROOT))),  # benchmarks/ from the source
        PYTHONSAFEPATH="1",
        PYTHONMALLOC="malloc",
        # libstdc++ too: the interceptor of __cxa_throw must find the real one at start.
        LD_PRELOAD=" ".join(runtime(name) for name in ("libasan.so", "libstdc++.so.6")),
        ASAN_OPTIONS=options("ASAN_OPTIONS", f"{LEAKS}:handle_segv=0:allocator_may_return_null=1"),
        LSAN_OPTIONS=options("LSAN_OPTIONS", f"suppressions={HERE / 'leaks.supp'}:print_suppressions=0"),
        UBSAN_OPTIONS=options("UBSAN_OPTIONS", "print_stacktrace=1"),
        PYCONV_HYPOTHESIS_PROFILE=os.environ.get("PYCONV_HYPOTHESIS_PROFILE", "short"),
    )
    tests = ["--capture=sys", "-p", "no:cacheprovider", *(arguments or [*TESTS, "-q", "-x"])]
    command = [sys.executable, "-c", CHECK, str(site), *tests]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
