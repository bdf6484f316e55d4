"""Objects of csrc built with other flags than the extension's: sanitizers, fuzzers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"


def sources(*, without: Sequence[str] = ()) -> list[Path]:
    """Every source of the core but those in these folders of csrc."""
    found = sorted(CSRC.rglob("*.cpp"))
    return [path for path in found if path.relative_to(CSRC).parts[0] not in without]


def stale(target: Path, depfile: Path) -> bool:
    if not target.exists() or not depfile.exists():
        return True
    names = depfile.read_text().replace("\\\n", " ").split(":", 1)[1].split()
    needed = [ROOT / name for name in names]
    return any(not p.exists() or p.stat().st_mtime > target.stat().st_mtime for p in needed)


def jobs() -> int:
    """Compilers at once: PYCONV_BUILD_JOBS, as for setup.py, else one for each CPU."""
    return int(os.environ.get("PYCONV_BUILD_JOBS") or os.cpu_count() or 1)


def compile_stale(units: Iterable[tuple[Path, Sequence[str]]], folder: Path) -> tuple[list[Path], bool]:
    """Compiles each source with its command where its object in `folder` is older than what it was made of.

    Returns the objects, and whether any was compiled.
    """

    def compile_one(unit: tuple[Path, Sequence[str]]) -> tuple[Path, bool]:
        source, command = unit
        target = folder / source.relative_to(ROOT).with_suffix(".o")
        depfile = target.with_suffix(".d")
        if not stale(target, depfile):
            return target, False
        target.parent.mkdir(parents=True, exist_ok=True)
        whole = [*command, "-MMD", "-MF", depfile, "-c", source, "-o", target]
        subprocess.run([str(part) for part in whole], check=True)
        return target, True

    with ThreadPoolExecutor(jobs()) as pool:
        compiled = list(pool.map(compile_one, units))
    return [target for target, _ in compiled], any(new for _, new in compiled)
