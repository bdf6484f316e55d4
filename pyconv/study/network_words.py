"""A layer's figures as one sentence: what binds it, and what to expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyconv.study.cost import FLOPS_PER_MAC
from pyconv.study.network_counts import by_channels, lane_fill
from pyconv.study.network_traffic import WEIGHTS
from pyconv.study.units import percent, quantity, times

if TYPE_CHECKING:
    from pyconv.study.network_result import Candidate, Layer, Network

BINDS = 0.7
"""From this share of the roofline on, its bound is said to explain the time."""
_SHORT_S = 10e-6
_NOISY = 0.25
_LIKE = 1.3
_FEW_PIXELS = 64
_FASTER = 0.95


def sentence(layer: Layer) -> str:
    """Which bound binds `layer`, and what follows from it."""
    if layer.seconds is None or layer.share is None:
        return f"{_forecast(layer)}."
    body = _bound(layer) if layer.share >= BINDS else _unexplained(layer)
    faster = best_rival(layer)
    remark = (
        f"; {faster.algorithm} was measured {times(1 / faster.ratio)} as fast: compile with "
        f"algorithms={{'{layer.name}': '{faster.algorithm}'}}"
        if faster and faster.ratio
        else ""
    )
    return f"{body}{remark}."


def summary(network: Network) -> str:
    """The network in one sentence."""
    macs, moved = quantity(network.macs), quantity(sum(layer.bytes for layer in network.layers), "B")
    if network.seconds is None:
        return (
            f"{macs} MACs and {moved} moved: at least {quantity(network.bound_s, 's')} on this machine, "
            f"{quantity(network.predicted_s, 's')} by the algorithms' estimates."
        )
    share = network.bound_s / network.seconds
    by_limit: dict[str, float] = {}
    for layer in network.layers:
        kind = layer.limit if layer.share and layer.share >= BINDS else "other"
        by_limit[kind] = by_limit.get(kind, 0.0) + (layer.seconds or 0.0)
    whole = sum(by_limit.values()) or 1.0
    memory = sum(s for kind, s in by_limit.items() if kind not in ("compute", "other"))
    return (
        f"{macs} MACs in {quantity(network.seconds, 's')}, {percent(share)} of the roofline: "
        f"{percent(by_limit.get('compute', 0.0) / whole)} of the time goes to layers bound by arithmetic, "
        f"{percent(memory / whole)} to layers bound by memory, and {percent(by_limit.get('other', 0.0) / whole)} "
        f"to layers that no bound explains{_doubt(network)}."
    )


def _doubt(network: Network) -> str:
    """What to hold against a disturbed measurement."""
    if network.whole is None or network.whole.spread <= _NOISY:
        return ""
    return f"; but its rounds differ by {percent(network.whole.spread)}: repeat it when the machine is idle"


def best_rival(layer: Layer) -> Candidate | None:
    """The algorithm that was measured faster than the one taken by more than the noise, if any."""
    if layer.timing is None:
        return None
    quicker = [
        c for c in layer.candidates
        if c.timing and c.ratio and c.ratio < _FASTER - max(c.timing.spread, layer.timing.spread)
    ]  # fmt: skip
    return min(quicker, key=lambda c: c.ratio or 1.0, default=None)


def _work(layer: Layer) -> str:
    """Its MACs, or the bytes of a step that multiplies nothing."""
    if not layer.macs:
        return f"{quantity(layer.bytes, 'B')} moved"
    if layer.executed_macs != layer.macs:
        return f"{quantity(layer.executed_macs)} of the definition's {quantity(layer.macs)} MACs"
    return f"{quantity(layer.macs)} MACs"


def _where(layer: Layer) -> str:
    """The operand that takes most of the time to move, and its level."""
    most = max(layer.traffic, key=lambda t: t.seconds)
    what = {"source": "input", "destination": "output"}.get(most.kind, most.kind)
    level = most.level if most.level == "DRAM" else f"the {most.level} cache"
    verb = "to" if most.kind == "destination" else "from"
    return f"{quantity(most.bytes, 'B')} of {what} {verb} {level}"


def _advice(layer: Layer) -> str:
    weights = sum(t.seconds for t in layer.traffic if t.kind == WEIGHTS)
    if weights > 0.5 * layer.memory_s:
        return "a larger batch would share the weights"
    if not layer.macs:
        return "fused with its neighbours it would cost nothing of this"
    return "only fewer or nearer bytes make it faster"


def _forecast(layer: Layer) -> str:
    if layer.limit == "compute":
        bound = (
            f"Arithmetic binds: {_work(layer)} take at least {quantity(layer.compute_s, 's')} at the FMA peak"
        )
    else:
        bound = (
            f"Memory binds: {_where(layer)}, {quantity(layer.memory_s, 's')} in all, "
            f"{layer.intensity:.1f} FLOP/byte"
        )
    if layer.estimate_s is None or layer.estimate_s <= layer.bound_s:
        return f"{bound}; expect no less"
    return f"{bound}; expect {quantity(layer.estimate_s, 's')} by the algorithm's own estimate"


def _bound(layer: Layer) -> str:
    seconds, share = layer.seconds or 0.0, layer.share or 0.0
    if layer.limit == "compute":
        return (
            f"Arithmetic binds: {_work(layer)} in {quantity(seconds, 's')}, {percent(share)} of the FMA peak; "
            "only fewer MACs or more cores make it faster"
        )
    if seconds < layer.memory_s:
        return (
            f"Memory binds: {_where(layer)} and the rest, at {layer.intensity:.1f} FLOP/byte; "
            f"{quantity(seconds, 's')} is less than that should take ({quantity(layer.memory_s, 's')}), so part "
            f"lay nearer; {_advice(layer)}"
        )
    return (
        f"Memory binds: {_where(layer)} and the rest take {quantity(layer.memory_s, 's')} of "
        f"{quantity(seconds, 's')} at {layer.intensity:.1f} FLOP/byte; {_advice(layer)}"
    )


def _unexplained(layer: Layer) -> str:
    seconds, share = layer.seconds or 0.0, layer.share or 0.0
    bound = "arithmetic" if layer.limit == "compute" else f"memory ({layer.limit})"
    return f"{_work(layer)} in {quantity(seconds, 's')}, {percent(share)} of what {bound} allows: {_reason(layer)}"


def _reason(layer: Layer) -> str:
    """The first cause that the figures show."""
    timing, seconds = layer.timing, layer.seconds or 0.0
    if timing and timing.spread > _NOISY:
        return f"the rounds differ by {percent(timing.spread)}, so other work disturbed them"
    if seconds < _SHORT_S:
        return "so short a step is mostly starting and finishing"
    if layer.algorithm.startswith("winograd"):
        return (
            "the transforms, and the scratch between them and the product, come on top of the multiplications"
        )
    if layer.algorithm == "depthwise":
        taps = layer.macs // max(1, _product(layer.shape))
        return (
            f"each output takes {taps} multiply-adds only, {_per_flop(layer)}, so loading, storing and the edges "
            "of tiles weigh beside them"
        )
    channels = layer.shape[1] if len(layer.shape) > 1 else 0
    if by_channels(layer) and lane_fill(channels, layer.isa) < 0.8:
        return f"{channels} channels fill {percent(lane_fill(channels, layer.isa))} of the vector lanes"
    pixels = layer.shape[0] * _product(layer.shape[2:])
    if layer.macs and len(layer.shape) == 4 and pixels < _FEW_PIXELS:
        return f"each weight is fetched for {pixels} outputs only"
    if not layer.macs:
        return "moving its operands once does not explain the rest"
    if layer.estimate_s and layer.estimate_s * _LIKE >= seconds:
        return (
            f"the algorithm's estimate of {quantity(layer.estimate_s, 's')} counts its loads, stores and the "
            "edges of its tiles as well"
        )
    return "neither arithmetic nor memory explains the rest"


def _per_flop(layer: Layer) -> str:
    flops = FLOPS_PER_MAC * max(1, layer.executed_macs)
    return f"{layer.bytes / flops:.1f} bytes per FLOP"


def _product(sizes: tuple[int, ...]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result
