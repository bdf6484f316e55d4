"""Fuzzes the reader of model files, and what compiles and runs them, under ASan and UBSan.

    python tests/fuzz/run.py --executions 1000000 [--reader-only]
    python tests/fuzz/run.py crash-1234abcd            (runs the program on these inputs alone)

Needs clang++ (or CXX) with libFuzzer. README.md beside this file says what is promised and checked.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import cpp_build  # noqa: E402

HERE = Path(__file__).resolve().parent
BUILD = cpp_build.ROOT / "build" / "fuzz"
ADDRESS = ["-fsanitize=address", "-fno-omit-frame-pointer"]
SANITIZE = [*ADDRESS, "-fsanitize=undefined", "-fno-sanitize-recover=all"]
FLAGS = ["-std=c++17", "-O1", "-g1", "-ffp-contract=off", "-DPYCONV_BASELINE_ONLY", "-Wall", "-Wextra"]
COVERED = ("base", "net", "ops")  # folders of csrc whose branches steer the search
PART = 1_000_000  # executions of one process
LIMITS = ["-max_len=8192", "-timeout=20", "-malloc_limit_mb=256", "-rss_limit_mb=2048"]


def compiler() -> list[str]:
    return shlex.split(os.environ.get("CXX", "clang++"))


def build() -> Path:
    common = [*compiler(), *FLAGS, f"-I{cpp_build.CSRC}"]
    units = [(HERE / f"model_file_{name}.cpp", [*common, *SANITIZE]) for name in ("target", "mutator")]
    for source in cpp_build.sources(without=("bindings", "capi", "tools")):
        covered = source.relative_to(cpp_build.CSRC).parts[0] in COVERED
        # Kernels take clang minutes with both, and inlined; tests/sanitize/run.py has them so, by GCC.
        calls = ["-mllvm", "-asan-instrumentation-with-call-threshold=0"]
        more = [*SANITIZE, "-fsanitize=fuzzer-no-link"] if covered else [*ADDRESS, *calls]
        units.append((source, [*common, *more]))
    objects, changed = cpp_build.compile_stale(units, BUILD / "objects")
    program = BUILD / "model_file"
    if changed or not program.exists():
        link = [*compiler(), *SANITIZE, "-fsanitize=fuzzer", *map(str, objects), "-pthread", "-o", str(program)]
        subprocess.run(link, check=True)
    return program


def environment(reader_only: bool) -> dict[str, str]:
    found = dict(os.environ, UBSAN_OPTIONS="print_stacktrace=1", ASAN_OPTIONS="allocator_may_return_null=1")
    if reader_only:
        found["PYCONV_FUZZ_READER_ONLY"] = "1"
    return found


def fuzz(program: Path, corpus: Path, executions: int, reader_only: bool) -> int:
    """Executions done; raises CalledProcessError where one of them broke a promise."""
    command = [str(program), str(corpus), f"-runs={executions}", *LIMITS, "-print_final_stats=1"]
    command += [f"-dict={HERE / 'model_file.dict'}", f"-artifact_prefix={BUILD}/", "-verbosity=1"]
    done = 0
    with subprocess.Popen(
        command, env=environment(reader_only), stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            done = int(line.split()[-1]) if "number_of_executed_units" in line else done
            if not re.match(r"#\d+\s+(NEW|REDUCE)", line):
                print(line, end="", file=sys.stderr, flush=True)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return done


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=100_000)
    parser.add_argument("--reader-only", action="store_true", help="compile and run nothing: ten times faster")
    parser.add_argument("--corpus", type=Path, default=BUILD / "corpus", help="kept from run to run")
    parser.add_argument("inputs", nargs="*", type=Path, help="run these and nothing else")
    given = parser.parse_args(arguments)
    program = build()
    if given.inputs:
        return subprocess.run([program, *given.inputs], env=environment(given.reader_only)).returncode
    given.corpus.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, str(HERE / "seeds.py"), str(given.corpus)], check=True)
    done = 0
    while done < given.executions:
        part = min(PART, given.executions - done)
        done += max(1, fuzz(program, given.corpus, part, given.reader_only))
        print(f"{done} executions", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
