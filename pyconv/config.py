"""What this build and this machine offer."""

from __future__ import annotations

from dataclasses import dataclass

from pyconv import _core


@dataclass(frozen=True)
class Kernel:
    """One registry row: a micro-kernel that the selector may choose."""

    name: str
    family: str
    isa: str
    tile: tuple[int, int]
    """Rows (pixels) and columns (channels) of the register tile; 0 where it means nothing."""
    efficiency: int
    """Estimated percent of the instruction set's FMA peak."""
    available: bool
    """Whether this CPU, under PYCONV_MAX_ISA, may run it."""


def kernels() -> list[Kernel]:
    """Every registry row of this build.

    >>> import pyconv
    >>> any(k.name == "gemm_f32_4x8_scalar" and k.available for k in pyconv.kernels())
    True
    """
    return [Kernel(**row) for row in _core.kernels()]


def show_config() -> str:
    """Version, compiler, CPU, instruction-set cap and usable CPUs, as a few lines of text.

    >>> import pyconv
    >>> pyconv.show_config().splitlines()[0].startswith("pyconv ")
    True
    """
    config = _core.config()
    cpu = config["cpu"]
    lines = [
        f"pyconv {config['version']}, compiled by {config['compiler']}",
        f"CPU: {cpu['brand'] or cpu['vendor']} (family {cpu['family']}, model {cpu['model']},"
        f" stepping {cpu['stepping']})",
        f"caches: L1d {cpu['l1d_bytes'] >> 10} KiB, L2 {cpu['l2_bytes'] >> 10} KiB,"
        f" L3 {cpu['l3_bytes'] >> 20} MiB",
        f"instruction set: {config['max_isa']} (best of this CPU: {cpu['best_isa']},"
        f" {cpu['simd_bits']} bits at a time)",
        f"usable CPUs: {config['usable_cpus']}",
        f"kernels: {sum(k.available for k in kernels())} of {len(kernels())} available",
    ]
    if config["max_isa_error"]:
        lines.append(f"PYCONV_MAX_ISA ignored: {config['max_isa_error']}")
    return "\n".join(lines)
