"""The roofline of this machine: its FMA peak and the bandwidth of each level of its memory.

    attainable GFLOP/s = min(peak, arithmetic intensity x bandwidth)

(Williams, Waterman, Patterson, "Roofline: an insightful visual performance model", CACM 52(4),
2009.) Both ceilings are measured by `csrc/kernels/probe`, in about two seconds, and the result is
kept in the user's cache directory under the identity of the CPU. `fma_peak` and `bandwidth` always
measure afresh.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pyconv import _core

LEVELS = ("L1", "L2", "L3", "DRAM")
KINDS = ("read", "copy", "scale")
_FORMAT = 1
_PASSES = 3
_MIB = 1 << 20


@dataclass(frozen=True)
class Roofline:
    """The ceilings of this machine for `threads` threads and code of `isa`.

    `capacity` is in bytes, for all threads together; `bandwidths[kind][level]` in GB/s (1e9), where
    kind is read, copy (counting read and write) or scale (the same, in place).
    """

    cpu: str
    isa: str
    threads: int
    peak_gflops: float
    capacity: Mapping[str, int]
    bandwidths: Mapping[str, Mapping[str, float]]

    def level_of(self, footprint: int) -> str:
        """The nearest level of memory that holds `footprint` bytes."""
        for level in LEVELS[:-1]:
            if footprint <= self.capacity[level]:
                return level
        return LEVELS[-1]

    def bandwidth(self, level_or_bytes: str | int, kind: str = "copy") -> float:
        """GB/s of a level by name, or of the level that holds so many bytes."""
        level = level_or_bytes if isinstance(level_or_bytes, str) else self.level_of(level_or_bytes)
        return self.bandwidths[_known(kind, KINDS, "kind")][_known(level, LEVELS, "level")]

    def attainable(self, intensity: float, level_or_bytes: str | int) -> float:
        """GFLOP/s that this machine allows at `intensity` FLOP/byte."""
        return min(self.peak_gflops, intensity * self.bandwidth(level_or_bytes))

    def bound_seconds(self, flops: float, bytes_moved: float) -> float:
        """The least time for so many FLOPs and bytes, the bytes coming from the level that holds
        them."""
        bandwidth = self.bandwidth(int(bytes_moved))
        return max(flops / self.peak_gflops, bytes_moved / bandwidth) * 1e-9

    def limit(self, flops: float, bytes_moved: float) -> str:
        """What bounds such a piece of work: "compute", or the level of memory."""
        level = self.level_of(int(bytes_moved))
        memory = bytes_moved / self.bandwidth(level)
        return level if memory > flops / self.peak_gflops else "compute"

    def ridge(self, level: str) -> float:
        """The intensity, in FLOP/byte, from which on compute is the limit."""
        return self.peak_gflops / self.bandwidth(level)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def fma_peak(isa: str | None = None, *, threads: int = 1, seconds: float = 0.1) -> float:
    """GFLOP/s of fused multiply-adds on registers, measured now; `isa` defaults to what this
    process may use. On `scalar`, which has no fused instruction, multiply and add apart."""
    chosen = known_isa(isa)
    return _concurrent(lambda: _core.probe_fma(chosen, seconds), threads)


def bandwidth(
    level_or_bytes: str | int,
    kind: str = "read",
    *,
    isa: str | None = None,
    threads: int = 1,
    seconds: float = 0.1,
) -> float:
    """GB/s of `kind`, measured now, over a level of memory by name or a footprint in bytes."""
    chosen = known_isa(isa)
    _known(kind, KINDS, "kind")
    if isinstance(level_or_bytes, str):
        footprint = _footprint(_known(level_or_bytes, LEVELS, "level"), threads)
    else:
        footprint = level_or_bytes // threads
    return _concurrent(lambda: _core.probe_bandwidth(chosen, kind, footprint, seconds), threads)


def roofline(
    isa: str | None = None,
    *,
    threads: int = 1,
    refresh: bool = False,
    keep: bool = True,
    seconds: float = 1.2,
    on_step: Callable[[str], None] | None = None,
) -> Roofline:
    """The roofline of this machine, from the cache where it is there and `refresh` is not asked. Without `keep`
    what is measured enters the cache only where nothing is: a study may run beside other work.

    `on_step(text)` is called before each of the `STEPS` measurements.
    """
    chosen = known_isa(isa)
    path = cache_file(chosen, threads)
    if not refresh and (kept := _load(path)) is not None:
        return kept
    result = _measure(chosen, threads, seconds, on_step)
    if keep or _load(path) is None:
        store_json(path, {"format": _FORMAT, **result.as_dict()})
    return result


STEPS = _PASSES * (1 + len(LEVELS) * len(KINDS))


def cache_file(isa: str, threads: int, what: str = "roofline") -> Path:
    """Where the roofline of this CPU is kept."""
    name = "".join(c if c.isalnum() else "-" for c in cpu_name()).strip("-")
    return _cache_directory() / f"{what}-{name}-{isa}-t{threads}.json"


def cpu_name() -> str:
    """Identity of this CPU, as "AuthenticAMD 26.2.1 AMD EPYC"."""
    info = _core.cpu_info()
    numbers = ".".join(str(info[part]) for part in ("family", "model", "stepping"))
    return " ".join(f"{info['vendor']} {numbers} {info['brand']}".split())


def capacities(threads: int = 1) -> dict[str, int]:
    """Bytes of each cache level, as `threads` threads together have them: L1 and L2 per core."""
    info = _core.cpu_info()
    return {
        "L1": info["l1d_bytes"] * threads,
        "L2": info["l2_bytes"] * threads,
        "L3": max(info["l3_bytes"], info["l2_bytes"] * threads),
    }


def _measure(isa: str, threads: int, seconds: float, on_step: Callable[[str], None] | None) -> Roofline:
    share = seconds / STEPS
    say = on_step or (lambda _: None)
    peak = 0.0
    rates = {kind: dict.fromkeys(LEVELS, 0.0) for kind in KINDS}
    # The best of passes that lie apart: other work rarely disturbs all of them.
    for _ in range(_PASSES):
        say("FMA peak")
        peak = max(peak, fma_peak(isa, threads=threads, seconds=share))
        for kind in KINDS:
            for level in LEVELS:
                say(f"{level} {kind}")
                rate = bandwidth(level, kind, isa=isa, threads=threads, seconds=share)
                rates[kind][level] = max(rates[kind][level], rate)
    return Roofline(cpu_name(), isa, threads, peak, capacities(threads), rates)


def _footprint(level: str, threads: int) -> int:
    """Bytes for each thread: half of a cache; four times the last one, within reason, for DRAM."""
    capacity = capacities(threads)
    if level == "DRAM":
        return min(max(4 * capacity["L3"], 64 * _MIB), 512 * _MIB) // threads
    return capacity[level] // 2 // threads


def _concurrent(probe: Callable[[], Sequence[float]], threads: int) -> float:
    """The best rate of one thread; the sum of the threads' medians when they run together."""
    if threads < 1:
        raise ValueError(f"threads: expected at least 1, got {threads}")
    if threads == 1:
        return max(probe())
    start = threading.Barrier(threads)

    def run(_: int) -> float:
        start.wait()
        return median(probe())

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(run, range(threads)))


def current_isa() -> str:
    """The best instruction set that this process may use."""
    return known_isa(None)


def known_isa(isa: str | None) -> str:
    """`isa`, or the best that this process may use; ValueError where the build or the CPU has no such."""
    isas = _core.probe_isas()
    if isa is None:
        cap: str = _core.config()["max_isa"]
        return cap if cap in isas else isas[0]
    return _known(isa, isas, "isa")


def _known(value: str, known: Sequence[str], argument: str) -> str:
    if value not in known:
        raise ValueError(f"{argument}: expected one of {', '.join(known)}, got {value!r}")
    return value


def _cache_directory() -> Path:
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "pyconv"


def load_json(path: Path, format: int) -> dict[str, Any] | None:
    """What was stored, or None where it is missing, damaged or of another format."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return kept if kept.pop("format") == format else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _load(path: Path) -> Roofline | None:
    kept = load_json(path, _FORMAT)
    if kept is None:
        return None
    try:
        result = Roofline(**kept)
        for kind in KINDS:
            for level in LEVELS:
                result.bandwidth(level, kind)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return result


def store_json(path: Path, document: Mapping[str, object]) -> None:
    """Keeps a document; a home that can't be written to is no error."""
    text = json.dumps(document, indent=1)
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
