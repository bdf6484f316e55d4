"""Reads functions, their instructions and their loops out of object files with objdump."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field

_HEAD = re.compile(r"^([0-9a-f]+) <(.+)>:$")
_LINE = re.compile(r"^\s*([0-9a-f]+):\t(\S+)\s*(.*)$")
_REGION = re.compile(r"^_Z+N[KVrO]*6pyconv(?:6(avx512|scalar)|4(avx2|neon))")


@dataclass
class Function:
    """One symbol: `code` holds (address, mnemonic, operands)."""

    name: str
    code: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def region(self):
        """The ISA namespace it lives in, "" outside them all."""
        match = _REGION.match(self.name)
        return (match.group(1) or match.group(2)) if match else ""

    def innermost_loops(self):
        """Instruction lists from the target of a backward jump to the jump, none inside another."""
        at = {address: i for i, (address, _, _) in enumerate(self.code)}
        spans = []
        for i, (address, mnemonic, operands) in enumerate(self.code):
            target = re.match(r"([0-9a-f]+)", operands)
            if mnemonic.startswith("j") and target and int(target.group(1), 16) <= address:
                start = at.get(int(target.group(1), 16))
                if start is not None:
                    spans.append((start, i))
        inner = [s for s in spans if not any(o != s and s[0] <= o[0] <= o[1] <= s[1] for o in spans)]
        return [self.code[a : b + 1] for a, b in inner]

    def stack_registers(self):
        framed = any(m == "mov" and o == "%rsp,%rbp" for _, m, o in self.code)
        return ("%rsp", "%rbp") if framed else ("%rsp",)


def disassemble(path):
    """Every function of an ELF file, in order."""
    run = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    functions = []
    for line in run.stdout.splitlines():
        if head := _HEAD.match(line):
            functions.append(Function(head.group(2)))
        elif functions and (entry := _LINE.match(line)):
            operands = entry.group(3).split("#")[0].strip()
            functions[-1].code.append((int(entry.group(1), 16), entry.group(2), operands))
    return functions


def weak_symbols(path):
    run = subprocess.run(["nm", str(path)], capture_output=True, text=True, check=True)
    rows = (line.split() for line in run.stdout.splitlines())
    return {row[-1] for row in rows if len(row) >= 2 and row[-2] in "WVuwv"}


def demangle(name):
    run = subprocess.run(["c++filt", name], capture_output=True, text=True)
    return run.stdout.strip() or name


# BMI and POPCNT come with no x86-64 baseline either.
_BEYOND_BASELINE = re.compile(
    r"^(shlx|shrx|sarx|rorx|mulx|pdep|pext|andn|bextr|blsr|blsi|blsmsk|popcnt|k(mov|or|and|not|xor).*)$"
)
_EVEX_ONLY = re.compile(r"%zmm|%k[0-7]|%[xy]mm(1[6-9]|2\d|3[01])\b")


def forbidden(region, mnemonic, operands):
    """May code of `region` not hold this instruction?"""
    if region == "avx512":
        return False
    if region == "avx2":
        return bool(_EVEX_ONLY.search(operands))
    vector = mnemonic.startswith("v") and (re.search(r"%[xyz]mm", operands) or not operands)
    return bool(vector or _BEYOND_BASELINE.match(mnemonic) or re.search(r"%[yz]mm", operands))
