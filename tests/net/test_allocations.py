"""Memory of compiled networks: none is taken while they run, the arena is as large as stated, and what a run
leaves in it changes no later one."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pyconv
from support import allocations

TESTS = Path(__file__).resolve().parents[1]
CASES = list(allocations.cases())


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory):
    """Runs tests/support/allocations.py beside the counting allocator."""
    if platform.libc_ver()[0] != "glibc" or not shutil.which("cc"):
        pytest.skip("needs glibc and a C compiler")
    if pyconv._core.__version__ == "sanitized":
        pytest.skip("a sanitizer's allocator comes first")
    library = tmp_path_factory.mktemp("preload") / "count_malloc.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", library, TESTS / "cpp" / "count_malloc.c"]
    subprocess.run(command, check=True)

    def run(*arguments):
        # Not where the tests stand, which need not hold the package that is being tested.
        paths = os.pathsep.join([str(Path(pyconv.__file__).parents[1]), str(TESTS)])
        environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": paths}
        program = [sys.executable, TESTS / "support" / "allocations.py", library, *arguments]
        done = subprocess.run(program, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return run


def test_nothing_is_allocated_while_running(preloaded):
    counts = preloaded("count")
    assert len(counts) > 60 and all(few > 0 for few, _ in counts.values())
    assert {case: count for case, count in counts.items() if count[0] != count[1]} == {}


def test_every_operator_has_a_case():
    ran = set()
    for _, model in allocations.compiled():
        ran |= {step["op"] for step in model.describe()["steps"]}
    assert {op["name"] for op in pyconv._core.ops()} - ran <= allocations.RARE


@pytest.mark.parametrize("side", ["after", "before"])
def test_nothing_is_touched_beyond_the_arena(preloaded, side):
    assert len(preloaded(side)) > 60


def model_of(case, **options):
    _, net, shape, given = case
    return pyconv.compile(net, shape, **given, **options)


def bits(arrays):
    return [np.ascontiguousarray(a).view(np.uint8) for a in arrays]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(bits(first), bits(second), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_what_runs_leave_behind_changes_nothing(case):
    model = model_of(case)
    arrays = allocations.inputs(model)
    first = model._core.run(arrays, None)
    for foul in (np.nan, np.inf, 3e38):
        model._core.run([np.full_like(a, foul) if a.dtype == np.float32 else a for a in arrays], None)
        assert same(model._core.run(arrays, None), first)
    assert same(model_of(case)._core.run(arrays, None), first)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_the_arena_is_as_large_as_its_furthest_tensor(case):
    model = model_of(case)
    ends = [0]
    for step in model.describe()["steps"]:
        if step["workspace_bytes"]:
            ends.append(step["workspace_offset"] + step["workspace_bytes"])
        for tensor in step["outputs"]:
            # A tensor that lies among others ends with the last of its own channels.
            if tensor["space"] == "arena" and tensor["bytes"]:
                images, channels, *pixels = (*tensor["shape"], 1, 1)
                stride = tensor["pixel_stride"] or channels
                dense = not tensor["pixel_stride"]
                floats = (images * int(np.prod(pixels)) - 1) * stride + channels
                ends.append(tensor["offset"] + (tensor["bytes"] if dense else 4 * floats))
    assert -(-max(ends) // 64) * 64 == model.arena_bytes
