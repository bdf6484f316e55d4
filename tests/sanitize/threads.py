"""Runs the executor on threads under the thread sanitizer.

    python tests/sanitize/threads.py

The program is tests/cpp/executor_test.cpp, with the scalar kernels; objects stay in build/threads.
(tests/base/test_thread_pool.py does the same for the pool alone, in seconds.)
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support import cpp_build  # noqa: E402

BUILD = ROOT / "build" / "threads"
FLAGS = ["-std=c++17", "-O1", "-g1", "-fsanitize=thread", "-ffp-contract=off", "-DPYCONV_BASELINE_ONLY", "-pthread"]


def build() -> Path:
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    command = [*compiler, *FLAGS, f"-I{cpp_build.CSRC}", f"-I{ROOT / 'tests' / 'cpp'}"]
    sources = [*cpp_build.sources(without=("bindings", "capi", "tools")), ROOT / "tests/cpp/executor_test.cpp"]
    objects, changed = cpp_build.compile_stale([(source, command) for source in sources], BUILD / "objects")
    program = BUILD / "executor_test"
    if changed or not program.exists():
        subprocess.run([*compiler, *FLAGS, *map(str, objects), "-o", str(program)], check=True)
    return program


if __name__ == "__main__":
    sys.exit(subprocess.run([build()], env=dict(os.environ, TSAN_OPTIONS="halt_on_error=1")).returncode)
