"""Builds the stand-alone programs of tests/cpp with the system's C++ compiler."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = "-std=c++17 -O2 -g -ffp-contract=off -frounding-math -Wall -Wextra -Werror -pthread".split()


@pytest.fixture(scope="session")
def compile_cpp(tmp_path_factory):
    """compile_cpp(name, sources, *flags): tests/cpp/<name>.cpp with csrc/<source>... as a program.

    Skips without a compiler, and where the compiler doesn't have the sanitizer asked for.
    """
    compiler = os.environ.get("CXX", "c++").split()
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"no C++ compiler ({compiler[0]})")

    def compile_program(name, sources, *flags):
        program = tmp_path_factory.mktemp(name) / name
        files = [ROOT / "tests/cpp" / f"{name}.cpp", *(ROOT / "csrc" / source for source in sources)]
        includes = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'tests/cpp'}"]
        if flags:
            empty = program.with_suffix(".cpp")
            empty.write_text("int main() {}\n")
            probe = subprocess.run([*compiler, *flags, empty, "-o", program], capture_output=True)
            if probe.returncode != 0 or subprocess.run([program], capture_output=True).returncode != 0:
                pytest.skip(f"programs built with {' '.join(flags)} don't run here")
        command = [*compiler, *FLAGS, *flags, *includes, *files, "-o", program]
        built = subprocess.run(command, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr
        return program

    return compile_program
