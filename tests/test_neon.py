"""NEON gives the bits of x86: the runners of csrc/tools under qemu against the installed pyconv."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import pyconv

ROOT = Path(__file__).resolve().parent.parent
CROSS = "aarch64-linux-gnu-g++"
EMULATOR = "qemu-aarch64"
SYSROOT = "/usr/aarch64-linux-gnu"
FLAGS = ["-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Icsrc", "-pthread"]
PARAMETRIC = (
    "leaky_relu elu add mul affine sub div minimum maximum pow clip selu celu thresholded_relu affine_unit "
    "affine_relu"
).split()


class Values:
    """The generator of exact_hashes.cpp."""

    def __init__(self):
        self.state = 0x9E3779B97F4A7C15

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        bits = self.state >> 32
        if bits & 15 == 0:
            return -0.0 if bits & 16 else 0.0
        fraction = np.float32(bits >> 8) / np.float32(16777216) - np.float32(0.5)
        return fraction * np.float32(1 << (bits >> 5 & 7))

    def take(self, *shape):
        count = int(np.prod(shape))
        return np.array([self.next() for _ in range(count)], np.float32).reshape(shape)


def fnv1a(array):
    value = 14695981039346656037
    for byte in np.ascontiguousarray(array).tobytes():
        value = (value ^ byte) * 1099511628211 % 2**64
    return f"{value:016x}"


def native_hash(text):
    p = pyconv.Conv2dProblem(text)
    values = Values()
    x = values.take(p.mb, p.ic, p.ih, p.iw)
    weight = values.take(p.oc, p.ic // p.g, p.kh, p.kw)
    bias = values.take(p.oc)
    return fnv1a(pyconv.Conv2dPlan(p, weight, bias, accuracy="exact")(x))


def patterns(values):
    """The inputs of eltwise_hashes.cpp."""
    floats = np.empty(4070, np.float32)
    for i in range(floats.size):
        values.state = (values.state * 6364136223846793005 + 1442695040888963407) % 2**64
        bits = np.array([values.state >> 32], np.uint32)
        floats[i] = bits.view(np.float32)[0] if i % 2 == 0 else np.float32(bits.view(np.int32)[0]) * 2.0**-24
    return floats


def one_nan(array):
    array = np.ascontiguousarray(array).copy()
    array.view(np.uint32)[np.isnan(array)] = 0x7FC00000
    return array


def native_eltwise_hashes():
    """The same lines as eltwise_hashes.cpp where Python reaches the kernel."""
    values = Values()
    x, p, q = (patterns(values) for _ in range(3))
    hashes = {}
    ops = {k.name.rsplit("_f32_", 1)[0] for k in pyconv.kernels() if k.family == "eltwise"}
    for op in sorted(op for op in ops if not op.endswith("_fast")):
        row = f"{op}_f32_scalar"
        results = [pyconv._core.eltwise_kernel(row, x, p[1:2], p[1:2], None)]
        if op in PARAMETRIC:
            results.append(pyconv._core.eltwise_kernel(row, x, p, q, None))
        hashes[op] = fnv1a(one_nan(np.concatenate(results)))
    with np.errstate(invalid="ignore"):
        tame = np.where((x > -100) & (x < 100), x, np.float32(1.5))
    for name in ("softmax", "log_softmax"):
        function = getattr(pyconv, name)
        hashes[name] = fnv1a(function(tame.reshape(110, 37)))
        hashes[f"{name}_columns"] = fnv1a(function(tame.reshape(37, 110), 0))
    return hashes


@pytest.fixture(scope="module")
def runners(tmp_path_factory):
    """Compiles every translation unit of the core, a few at once, and links the runners."""
    if not shutil.which(CROSS) or not shutil.which(EMULATOR):
        pytest.skip(f"{CROSS} or {EMULATOR} is not installed")
    folder = tmp_path_factory.mktemp("neon")
    apart = {"bindings", "capi", "tools"}
    sources = [p for p in (ROOT / "csrc").rglob("*.cpp") if apart.isdisjoint(p.parts)]
    tools = [ROOT / "csrc" / "tools" / f"{name}.cpp" for name in ("exact_hashes", "eltwise_hashes")]

    def compile_one(path):
        target = folder / (path.relative_to(ROOT).as_posix().replace("/", "_") + ".o")
        command = [CROSS, *FLAGS, "-c", str(path), "-o", str(target)]
        return target, subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = list(pool.map(compile_one, sources + tools))
    for target, result in results:
        assert result.returncode == 0 and not result.stderr, f"{target.name}: {result.stderr[-2000:]}"
    objects = [str(target) for target, _ in results[: len(sources)]]
    for tool, (main, _) in zip(tools, results[len(sources) :]):
        link = [CROSS, "-pthread", str(main), *objects, "-o", str(folder / tool.stem)]
        subprocess.run(link, check=True)
    return folder


def run(runner):
    command = [EMULATOR, "-L", SYSROOT, str(runner)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return [line.split() for line in result.stdout.splitlines()]


def test_neon_reproduces_the_hashes_of_this_machine(runners):
    lines = run(runners / "exact_hashes")
    assert "neon" in {isa for _, _, isa, _ in lines}
    seen = {problem: value for problem, _, _, value in lines}
    assert len(seen) >= 14
    assert seen == {problem: native_hash(problem) for problem in seen}


def test_neon_reproduces_the_elementwise_hashes_of_this_machine(runners):
    lines = run(runners / "eltwise_hashes")
    assert {isa for _, isa, _ in lines} == {"neon", "scalar"}
    seen = {function: value for function, _, value in lines}
    native = native_eltwise_hashes()
    assert len(native) >= 18
    assert {function: seen[function] for function in native} == native
