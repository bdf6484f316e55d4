"""What in a network's design costs time on this machine, in plain sentences.

Rules after the guidelines of Ma, Zhang, Zheng, Sun, "ShuffleNet V2: Practical Guidelines for Efficient CNN
Architecture Design" (arXiv:1807.11164) and the layout of vector registers. A rule's cost is measured where
the network was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyconv
from pyconv.study import network_guidelines
from pyconv.study.network_counts import LANES, by_channels, lane_fill
from pyconv.study.network_variants import Beside, dearest, line, measured, named, of_run, sum_of
from pyconv.study.network_variants import Finding as Finding
from pyconv.study.units import percent, quantity, times

if TYPE_CHECKING:
    from pyconv.study.network_result import Layer

_IDLE_LANES = 0.05
_IDLE_TAPS = 0.25
_LEAST_SHARE = 0.02
_MOVES = ("reorder", "transpose", "slice", "concat", "pad")
_ELEMENTWISE = ("add", "mul", "sub", "div", "activation", "relu", "sigmoid", "silu", "clip")


def findings(layers: Sequence[Layer], accuracy: str = "fast", *, measure: bool = False) -> list[Finding]:
    """Those that apply, the dearest first. With `measure` the variants that they name are run too."""
    beside = measured(accuracy) if measure else None
    found = [
        *_batch_norm(layers),
        *_width(layers, beside),
        *_groups(layers, beside),
        *_padding(layers, beside),
        *network_guidelines.unequal_widths(layers, beside),
        *network_guidelines.fragments(layers, beside),
        *_alone(layers, "elementwise", _ELEMENTWISE,
                ("element-wise step runs by itself", "element-wise steps run by themselves"),
                "each reads and writes its tensors again; additions and activations behind a convolution are fused"),
        *_alone(layers, "moves", _MOVES, ("step only moves data", "steps only move data"),
                "they multiply nothing; an order of channels that needs no shuffle avoids them"),
    ]  # fmt: skip
    return sorted(found, key=lambda finding: -(finding.seconds or 0.0))


def _batch_norm(layers: Sequence[Layer]) -> list[Finding]:
    alone = [layer for layer in layers if layer.op == "batch_norm"]
    if not alone:
        return []
    seconds = sum_of(alone)
    text = (
        f"{len(alone)} batch norm{'s' * (len(alone) > 1)} not fused ({named(alone)})"
        f"{of_run(seconds, layers)}. Right behind a convolution it would be folded into the weights."
    )
    return [Finding("batch_norm", text, tuple(layer.name for layer in alone), seconds)]


def _width(layers: Sequence[Layer], beside: Beside | None) -> list[Finding]:
    idle = [
        layer for layer in layers
        if by_channels(layer) and 1 - lane_fill(layer.shape[1], layer.isa) >= _IDLE_LANES
    ]  # fmt: skip
    if not idle:
        return []
    lost = [(layer.seconds or 0.0) * (1 - lane_fill(layer.shape[1], layer.isa)) for layer in idle]
    worst = max(zip(lost, idle), key=lambda pair: (pair[0], pair[1].predicted_s))[1]
    lanes, channels = LANES[worst.isa], worst.shape[1]
    full = -(-channels // lanes) * lanes
    text = (
        f"{channels} output channels leave {percent(1 - lane_fill(channels, worst.isa))} of the lanes idle, "
        f"as vectors hold {lanes} ({named([worst, *(x for x in idle if x is not worst)])})"
    )
    problem = pyconv.Conv2dProblem(worst.problem)
    groups = full if problem.g == problem.ic == problem.oc else problem.g
    if beside is not None and full % groups == 0:
        wider = line(problem, {"oc": full, "g": groups, "ic": full if groups == full else problem.ic})
        ratio = 1 / beside(worst.problem, wider)
        text += (
            f"; {full} channels were measured to take {times(ratio)} the time, "
            f"for {times(full / channels)} the channels"
        )
    seconds = sum(lost) if all(layer.seconds for layer in idle) else None
    return [Finding("width", f"{text}.", tuple(layer.name for layer in idle), seconds)]


def _groups(layers: Sequence[Layer], beside: Beside | None) -> list[Finding]:
    found = []
    for layer in layers:
        if not layer.problem:
            continue
        p = pyconv.Conv2dProblem(layer.problem)
        if p.g > 1 and 1 < p.oc // p.g < LANES.get(layer.isa, 1):
            found.append(layer)
    if not found:
        return []
    worst = dearest(found)
    p = pyconv.Conv2dProblem(worst.problem)
    text = (
        f"{p.g} groups of {p.ic // p.g} channels ({named([worst, *(x for x in found if x is not worst)])}): "
        f"narrower than a vector, for 1/{p.g} of the dense convolution's MACs"
    )
    if beside is not None:
        text += f", measured 1/{beside(line(p, {'g': 1}), worst.problem):.1f} of its time"
    return [Finding("groups", f"{text}.", tuple(layer.name for layer in found), sum_of(found))]


def _padding(layers: Sequence[Layer], beside: Beside | None) -> list[Finding]:
    found = [
        layer for layer in layers if layer.padding_macs and layer.padding_macs >= _IDLE_TAPS * layer.macs
    ]
    if not found:
        return []
    worst = max(found, key=lambda layer: layer.padding_macs or 0)
    p = pyconv.Conv2dProblem(worst.problem)
    share = (worst.padding_macs or 0) / worst.macs
    lost = [(layer.seconds or 0.0) * (layer.padding_macs or 0) / layer.macs for layer in found]
    seconds = sum(lost) if all(layer.seconds for layer in found) else None
    text = (
        f"{percent(share)} of the taps of {named([worst, *(x for x in found if x is not worst)])} fall on padding "
        f"({p.kh}x{p.kw} on {p.ih}x{p.iw})"
    )
    if seconds:
        text += f": that share of their time is {quantity(seconds, 's')}"
    kept = network_guidelines.without_dead_taps(p)
    if kept is not None:
        text += f"; {p.kh * p.kw - kept.kh * kept.kw} of its {p.kh * p.kw} taps never meet a pixel"
        if beside is not None:
            ratio = 1 / beside(worst.problem, str(kept))
            text += f", and without them it was measured to take {times(ratio)} the time"
    return [Finding("padding", f"{text}.", tuple(layer.name for layer in found), seconds)]


def _alone(
    layers: Sequence[Layer], rule: str, ops: tuple[str, ...], what: tuple[str, str], why: str
) -> list[Finding]:
    found = [layer for layer in layers if layer.op in ops]
    seconds = sum_of(found)
    shares = [layer.predicted_s for layer in layers]
    share = seconds / whole if seconds and (whole := sum_of(layers)) else (
        sum(layer.predicted_s for layer in found) / (sum(shares) or 1.0)
    )  # fmt: skip
    if not found or share < _LEAST_SHARE:
        return []
    text = f"{len(found)} {what[len(found) > 1]} ({named(found)}){of_run(seconds, layers)}: {why}."
    return [Finding(rule, text, tuple(layer.name for layer in found), seconds)]
