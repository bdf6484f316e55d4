"""NEON gives the bits of x86: the runners of csrc/tools under qemu against the hashes of `pyconv verify`."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pyconv.trust import golden

ROOT = Path(__file__).resolve().parent.parent
CROSS = "aarch64-linux-gnu-g++"
EMULATOR = "qemu-aarch64"
SYSROOT = "/usr/aarch64-linux-gnu"
FLAGS = ["-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Icsrc", "-pthread"]

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


def test_neon_reproduces_the_stored_hashes_of_convolutions(runners):
    lines = run(runners / "exact_hashes")
    assert "neon" in {isa for _, _, isa, _ in lines}
    seen = {problem: value for problem, _, _, value in lines}
    assert seen == golden.stored()["convolutions"]


def test_neon_reproduces_the_stored_hashes_of_elementwise_functions(runners):
    lines = run(runners / "eltwise_hashes")
    assert {isa for _, isa, _ in lines} == {"neon", "scalar"}
    seen = {function: value for function, _, value in lines}
    stored = golden.stored()["elementwise"]
    assert {function: seen[function] for function in stored} == stored
