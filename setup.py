"""Builds pyconv._core (C++17, pybind11) and pyconv.study.ladder (Cython).

Metadata stands in pyproject.toml. What is here: which files are compiled, with which flags, in
parallel, and only those that changed. PYCONV_BUILD_JOBS sets the number of compilers that run at
once (default: the CPUs this process may use).
"""

import ast
import hashlib
import os
import platform
import re
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CompileError, PlatformError

ROOT = Path(__file__).resolve().parent
MARCH = {"x86_64": "x86-64", "AMD64": "x86-64", "aarch64": "armv8-a", "arm64": "armv8-a"}

# Kernels choose their instruction set at run time and results are reproducible to the bit, so a
# user's flags may not move the baseline or relax floating point. These are taken out of what the
# environment and Python's own configuration bring, and CONTRACT comes last on every command line.
# Overflow is here because Pythons differ in it, and with it differs the code of the kernels.
FORBIDDEN = re.compile(
    r"-m(arch|cpu|tune|fpmath)=|-m(no-)?(s?sse|avx|fma|f16c|bmi|xop|3dnow|mmx|amx)"
    r"|-Ofast$|-f(no-)?(lto|whole-program|wrapv|strict-overflow)"
    r"|-f(no-)?[a-z-]*(-math|fp-|signed-zeros|math-errno|cx-|single-precision|excess-precision)"
)
CONTRACT = ["-O3", "-fno-fast-math", "-ffp-contract=off", "-fno-lto", "-fwrapv"]
CONTRACT += ["-fvisibility=hidden", "-DNDEBUG", "-pthread", "-Wall", "-Wextra"]
if platform.machine() in MARCH:
    CONTRACT.append("-march=" + MARCH[platform.machine()])
LINK = ["-fno-fast-math", "-fno-lto", "-pthread"]


def version() -> str:
    tree = ast.parse((ROOT / "pyconv" / "_version.py").read_text())
    return next(ast.literal_eval(s.value) for s in tree.body if isinstance(s, ast.Assign))


def build_jobs() -> int:
    """CPUs this process may use: affinity and cgroup quota, unless PYCONV_BUILD_JOBS says."""
    if os.environ.get("PYCONV_BUILD_JOBS"):
        return max(1, int(os.environ["PYCONV_BUILD_JOBS"]))
    affinity = getattr(os, "sched_getaffinity", None)
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cpus, int(quota) // int(period)))
    except (OSError, ValueError):
        return cpus


def relative(paths) -> list:
    return sorted(p.relative_to(ROOT).as_posix() for p in paths)


def core_extension() -> list:
    if not (ROOT / "csrc" / "bindings" / "module.cpp").exists():
        return []
    import pybind11

    apart = {ROOT / "csrc" / "capi", ROOT / "csrc" / "tools"}
    sources = [p for p in (ROOT / "csrc").rglob("*.cpp") if apart.isdisjoint(p.parents)]
    headers = [p for p in (ROOT / "csrc").rglob("*") if p.suffix in (".h", ".inc")]
    core = Extension(
        "pyconv._core",
        relative(sources),
        depends=relative(headers),
        include_dirs=["csrc"],
        define_macros=[("PYCONV_VERSION", f'"{version()}"')],
        extra_compile_args=["-isystem", pybind11.get_include(), "-std=c++17"],
        language="c++",
    )
    return [core]


def cython_extensions() -> list:
    pyx = relative((ROOT / "pyconv").rglob("*.pyx"))
    if not pyx:
        return []
    from Cython.Build import cythonize

    modules = [Extension(p[: -len(".pyx")].replace("/", "."), [p]) for p in pyx]
    return cythonize(modules, build_dir="build/cython", quiet=True)


class BuildPy(build_py):
    """setuptools' build_py, starting from nothing: a module that was removed or renamed since the
    last build would otherwise still stand in build/lib and be packed."""

    def run(self):
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class BuildExt(build_ext):
    """setuptools' build_ext with our flags last, compiling in parallel what is out of date."""

    def build_extensions(self):
        require_toolchain(self.compiler)
        given = " ".join(os.environ.get(v, "") for v in ("CFLAGS", "CXXFLAGS", "LDFLAGS")).split()
        dropped = [flag for flag in drop_forbidden_flags(self.compiler) if flag in given]
        if dropped:
            print("pyconv: flags that would break its bitwise contract are ignored:", *dropped)
        debug = "-g" in given
        for ext in self.extensions:
            ext.extra_compile_args += CONTRACT + ([] if debug else ["-g0"])
            ext.extra_link_args += LINK
        compiler = self.compiler
        compile_some = compiler.compile
        compiler.compile = lambda sources, **options: compile_outdated(
            compiler, compile_some, sources, self.parallel or build_jobs(), options
        )
        super().build_extensions()


def require_toolchain(compiler) -> None:
    """Raise with what to install when the compiler or Python's headers are missing."""
    if compiler.compiler_type != "unix":
        raise PlatformError(
            f"pyconv builds with GCC or Clang; the compiler type here is {compiler.compiler_type!r}"
        )
    command = getattr(compiler, "compiler_so_cxx", None) or compiler.compiler_so
    if not shutil.which(command[0]):
        raise PlatformError(
            f"pyconv needs a C++17 compiler, and {command[0]!r} was not found. Install one "
            "(Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; Alpine: apk add g++; "
            "macOS: xcode-select --install) or name yours in the environment variable CXX."
        )
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").exists():
        raise PlatformError(
            f"pyconv needs Python's headers, and {include} has no Python.h. Install them "
            "(Debian, Ubuntu: apt install python3-dev; Fedora: dnf install python3-devel)."
        )


def drop_forbidden_flags(compiler) -> list:
    """Take FORBIDDEN flags out of every command of `compiler`; returns them, each once."""
    dropped = []
    for name in compiler.executables:
        command = getattr(compiler, name, None)
        if isinstance(command, list):
            dropped += [flag for flag in command if FORBIDDEN.match(flag)]
            setattr(compiler, name, [flag for flag in command if not FORBIDDEN.match(flag)])
    return list(dict.fromkeys(dropped))


def compile_outdated(compiler, compile_some, sources, jobs, options) -> list:
    """Compile the sources whose object is missing, older than what it was made from (by the
    compiler's own list of the files it read) or made with another command. Returns all objects."""
    objects = compiler.object_filenames(sources, output_dir=options.get("output_dir"))
    command = fingerprint(compiler, options)

    def compile_one(source, target):
        depfile, stamp = Path(target + ".d"), Path(target + ".command")
        if is_current(Path(target), depfile, stamp, command):
            return
        stamp.unlink(missing_ok=True)
        arguments = {**options, "extra_postargs": [*(options.get("extra_postargs") or [])]}
        arguments["extra_postargs"] += ["-MMD", "-MF", str(depfile)]
        compile_some([source], **arguments)
        stamp.write_text(command)

    with ThreadPoolExecutor(jobs) as pool:
        tasks = [pool.submit(compile_one, *pair) for pair in zip(sources, objects)]
        try:
            for task in tasks:
                task.result()
        except CompileError:
            pool.shutdown(cancel_futures=True)
            raise
    return objects


def fingerprint(compiler, options) -> str:
    """What an object depends on beside its files. The path of pybind11 is left out, its version
    is in: pip builds in an environment whose path is new each time."""
    import pybind11

    flags = [f for f in options.get("extra_postargs") or [] if f != pybind11.get_include()]
    parts = [compiler.compiler_so, getattr(compiler, "compiler_so_cxx", None)]
    parts += [flags, options.get("macros"), pybind11.__version__, sys.version]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def is_current(target: Path, depfile: Path, stamp: Path, command: str) -> bool:
    try:
        if stamp.read_text() != command:
            return False
        built = target.stat().st_mtime
        rule = depfile.read_text().replace("\\\n", " ").split(":", 1)[1]
        names = [n.replace("\\ ", " ") for n in re.findall(r"(?:\\ |\S)+", rule)]
        return all((ROOT / n).stat().st_mtime <= built for n in names)
    except OSError:
        return False


if __name__ == "__main__":
    os.chdir(ROOT)
    setup(
        ext_modules=[*core_extension(), *cython_extensions()],
        cmdclass={"build_ext": BuildExt, "build_py": BuildPy},
    )
