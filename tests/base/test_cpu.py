"""csrc/base/cpu.cpp, cpu_x86.cpp and csrc/simd/fp_env.h, through the program tests/cpp/cpu_test.cpp."""

import os
import platform
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def program(compile_cpp):
    return compile_cpp("cpu_test", ["base/cpu.cpp", "base/cpu_x86.cpp"])


def identity(program, **environment):
    env = {k: v for k, v in os.environ.items() if k != "PYCONV_MAX_ISA"} | environment
    done = subprocess.run([program, "--print"], capture_output=True, text=True, env=env, check=True)
    return dict(line.partition(" ")[::2] for line in done.stdout.splitlines())


def test_checks(program):
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_agrees_with_proc_cpuinfo(program):
    path = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not path.exists():
        pytest.skip("needs /proc/cpuinfo of an x86-64 Linux")
    first = path.read_text().split("\n\n")[0]
    fields = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in first.splitlines())}
    flags = set(fields["flags"].split())
    expected = "scalar"
    if {"avx2", "fma"} <= flags:
        expected = "avx2"
    if expected == "avx2" and {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        expected = "avx512"
    info = identity(program)
    assert info["best"] == info["max_isa"] == expected
    assert info["vendor"] == fields["vendor_id"]
    for ours, theirs in [("family", "cpu family"), ("model", "model"), ("stepping", "stepping")]:
        assert info[ours] == fields[theirs]


def test_cache_sizes_rise(program):
    info = identity(program)
    assert 4096 <= int(info["l1d"]) <= int(info["l2"]) <= int(info["l3"]) < 1 << 34


@pytest.mark.parametrize("cap", ["scalar", "avx2", "avx512", "neon"])
def test_cap_only_lowers(program, cap):
    best = identity(program)["best"]
    info = identity(program, PYCONV_MAX_ISA=cap)
    order = ["scalar", "avx2", "avx512"]
    if best == cap:
        expected = best
    elif "neon" in (best, cap):
        expected = "scalar"
    else:
        expected = order[min(order.index(best), order.index(cap))]
    assert info["max_isa"] == expected
    assert info["best"] == best
    assert info["error"] == ""


def test_unknown_cap_is_reported_and_ignored(program):
    info = identity(program, PYCONV_MAX_ISA="sse9")
    assert info["max_isa"] == info["best"]
    assert info["error"].startswith("PYCONV_MAX_ISA: expected scalar, avx2, avx512 or neon, got 'sse9'")
    assert identity(program, PYCONV_MAX_ISA="")["error"] == ""
