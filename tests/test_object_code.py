"""ARCHITECTURE decision 3, read from the objects: no instruction outside its namespace, no weak
symbol that carries one, no accumulator on the stack in a micro-kernel's inner loop."""

from __future__ import annotations

import platform
import re
import shutil
from pathlib import Path

import pytest

from support.object_code import Function, demangle, disassemble, forbidden, weak_symbols

ROOT = Path(__file__).resolve().parents[1]

if shutil.which("objdump") is None or shutil.which("nm") is None:
    pytest.skip("objdump or nm (binutils) is not installed", allow_module_level=True)
if platform.machine() not in ("x86_64", "AMD64"):
    pytest.skip("reads x86-64 code only", allow_module_level=True)


@pytest.fixture(scope="module")
def functions():
    core = pytest.importorskip("pyconv._core")
    found = disassemble(core.__file__)
    if not any(f.region for f in found):
        pytest.skip(f"{core.__file__} is stripped")
    return found


@pytest.fixture(scope="module")
def spilled():
    """What the compiler of this build keeps on the stack all the same."""
    version = pytest.importorskip("pyconv._core").config()["compiler"]
    kind = "clang" if "clang" in version.lower() else f"gcc {version.split('.')[0]}"
    return re.compile(SPILLED_BY.get(kind, "$^"))


@pytest.fixture(scope="module")
def objects():
    """What the build left behind, where it is younger than its source."""
    fresh = []
    for path in ROOT.glob("build/temp*/**/*.o"):
        source = ROOT / "csrc" / str(path).split("/csrc/")[-1].replace(".o", ".cpp")
        if source.exists() and source.stat().st_mtime <= path.stat().st_mtime:
            fresh.append(path)
    if not fresh:
        pytest.skip("the build left no object files under build/temp*")
    return fresh


def offences(functions):
    for function in functions:
        for _, mnemonic, operands in function.code:
            if forbidden(function.region, mnemonic, operands):
                yield f"{demangle(function.name)}: {mnemonic} {operands}"
                break


def test_regions_are_there(functions):
    assert {"scalar", "avx2", "avx512"} <= {f.region for f in functions}


def test_no_instruction_outside_its_namespace(functions):
    assert list(offences(functions)) == []


def test_no_weak_symbol_carries_vector_code(objects):
    """The linker may keep a weak symbol for everyone, whoever compiled it."""
    found = []
    for path in objects:
        weak = weak_symbols(path)
        found += [f"{path.name}: {o}" for o in offences(f for f in disassemble(path) if f.name in weak)]
    assert found == []


def stack_accesses(function, loop):
    """Vector instructions of a loop that read the stack, and those that write it."""
    stack = "|".join(re.escape(register) for register in function.stack_registers())
    operand = re.compile(rf"\((?:{stack})[,)]")
    found = [
        f"{mnemonic} {operands}"
        for _, mnemonic, operands in loop
        if re.search("%[yz]mm", operands) and operand.search(operands)
    ]
    writes = [text for text in found if text.endswith(")")]
    return found, writes


def fma_loops(functions, name):
    tiles = [f for f in functions if f.region in ("avx2", "avx512") and re.search(name, f.name)]
    for function in tiles:
        for loop in function.innermost_loops():
            if any(mnemonic.startswith("vfmadd") for _, mnemonic, _ in loop):
                yield function, loop


# The tiles are made for GCC 12's allocation of registers. These keep some accumulators on the stack (of
# DepthwiseTile, in AVX2, where a window meets an edge): slower, and right all the same.
SPILLED_BY = {
    "clang": r"gemm_tile<11, 1>|gemm_tile_24<1[12]>",
    "gcc 11": r"avx2::.*(depthwise_strip<1, 8, 0, 0, 0>|DepthwiseTile<2, 4, 3, 3, [12]>::edge)",
}


# clang inlines the last two into the strips that call them.
@pytest.mark.parametrize(
    "name",
    ["gemm_tile", "direct_tile", "planar_tile", "DepthwiseTile|depthwise(3x3)?_strip", "GroupedTile|grouped_strip"],
)
def test_no_accumulator_spills_in_inner_loops(functions, name, spilled):
    """A spilled accumulator is written in the loop. The dense tiles read nothing back either; where
    16 registers are short the others may reload a mask or a weight."""
    found, loops = [], 0
    for function, loop in fma_loops(functions, name):
        loops += 1
        accesses, writes = stack_accesses(function, loop)
        bad = accesses if name in ("gemm_tile", "direct_tile") else writes
        if bad and not spilled.search(demangle(function.name)):
            found.append(f"{demangle(function.name)}: {len(bad)} such as {bad[0]}")
    assert loops, f"no loop of {name} found: renamed?"
    assert found == []


@pytest.mark.parametrize(
    "region, instruction, refused",
    [
        ("", "addss %xmm1,%xmm0", False),
        ("", "vaddss %xmm1,%xmm0,%xmm0", True),
        ("", "vzeroupper", True),
        ("", "verr %ax", False),
        ("scalar", "vfmadd231ss %xmm1,%xmm0,%xmm0", True),
        ("scalar", "popcnt %rax,%rax", True),
        ("avx2", "vfmadd231ps %ymm1,%ymm0,%ymm0", False),
        ("avx2", "vmovups %zmm0,(%rdi)", True),
        ("avx2", "vmovups %ymm0,(%rdi){%k1}", True),
        ("avx2", "vmovups %ymm17,(%rdi)", True),
        ("avx512", "vmovups %zmm0,(%rdi)", False),
    ],
)
def test_rules_of_the_reader(region, instruction, refused):
    mnemonic, _, operands = instruction.partition(" ")
    assert forbidden(region, mnemonic, operands) is refused


def test_regions_come_from_mangled_names():
    names = {
        "_ZN6pyconv6avx51212_GLOBAL__N_19gemm_tileILi6ELi4EEEvRKNS_8GemmTileE": "avx512",
        "_ZN6pyconv4avx23foo.part.0": "avx2",
        "_ZZN6pyconv4avx23fooEvENKUlvE_clEv": "avx2",
        "_ZNSt6vectorIN6pyconv4avx21vE": "",
        "_ZN6pyconv3runEv": "",
    }
    assert {name: Function(name).region for name in names} == names
