"""Compiles a stand-alone C++ test from its sources with the system compiler, or skips."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["-std=c++17", "-O2", "-g", "-ffp-contract=off", "-frounding-math", "-Wall", "-Wextra", "-Werror"]


def compile_test(out_dir: Path, name: str, sources: list[str], *, flags: tuple[str, ...] = ()) -> Path:
    """Builds tests/cpp/<name>.cpp with csrc/<sources>; skips where there is no compiler."""
    compiler = os.environ.get("CXX") or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    program = out_dir / "-".join([name, *(f.strip("-").replace("=", "_") for f in flags)])
    files = [ROOT / "tests/cpp" / f"{name}.cpp", *(ROOT / "csrc" / s for s in sources)]
    command = [*compiler.split(), *FLAGS, *flags, "-pthread", f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'tests/cpp'}"]
    command += [*map(str, files), "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode != 0 and any(f.startswith("-fsanitize") for f in flags):
        probe = subprocess.run(
            [*compiler.split(), *flags, "-x", "c++", "-", "-o", os.devnull],
            input="int main() {}", capture_output=True, text=True,
        )
        if probe.returncode != 0:
            pytest.skip(f"no {flags} in this compiler")
    assert built.returncode == 0, built.stderr
    return program
