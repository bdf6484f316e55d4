"""NEON gives the bits of x86: csrc/tools/exact_hashes.cpp under qemu against the installed pyconv."""

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


def build_runner(folder):
    """Compiles every translation unit of the core, a few at once, and links the runner."""
    apart = {"bindings", "capi", "tools"}
    sources = [p for p in (ROOT / "csrc").rglob("*.cpp") if apart.isdisjoint(p.parts)]
    sources.append(ROOT / "csrc" / "tools" / "exact_hashes.cpp")

    def compile_one(path):
        target = folder / (path.relative_to(ROOT).as_posix().replace("/", "_") + ".o")
        command = [CROSS, *FLAGS, "-c", str(path), "-o", str(target)]
        return target, subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = list(pool.map(compile_one, sources))
    for target, result in results:
        assert result.returncode == 0 and not result.stderr, f"{target.name}: {result.stderr[-2000:]}"
    runner = folder / "exact_hashes"
    objects = [str(target) for target, _ in results]
    subprocess.run([CROSS, "-pthread", *objects, "-o", str(runner)], check=True)
    return runner


@pytest.mark.skipif(not shutil.which(CROSS), reason=f"{CROSS} is not installed")
@pytest.mark.skipif(not shutil.which(EMULATOR), reason=f"{EMULATOR} is not installed")
def test_neon_reproduces_the_hashes_of_this_machine(tmp_path):
    command = [EMULATOR, "-L", SYSROOT, str(build_runner(tmp_path))]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    lines = [line.split() for line in result.stdout.splitlines()]
    assert "neon" in {isa for _, _, isa, _ in lines}
    seen = {problem: value for problem, _, _, value in lines}
    assert len(seen) >= 14
    assert seen == {problem: native_hash(problem) for problem in seen}
