"""Design rules that compare a layer with another of the same work: equal widths (G1 of Ma, Zhang, Zheng, Sun,
arXiv:1807.11164), one layer instead of fragments (G3), and filters without taps that see nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import TYPE_CHECKING

import pyconv
from pyconv.study.cost import convolution_cost
from pyconv.study.network_counts import LANES
from pyconv.study.network_variants import Beside, Finding, line, named
from pyconv.study.units import times

if TYPE_CHECKING:
    from pyconv.study.network_result import Layer

_MORE_BYTES = 1.25
_MOST_MEASURED = 6
_LEAST_LOSS = 0.03


def unequal_widths(layers: Sequence[Layer], beside: Beside | None) -> list[Finding]:
    """1x1 layers that move many more bytes than one of equal widths with as many MACs."""
    found = []
    for layer in _pointwise(layers):
        p = pyconv.Conv2dProblem(layer.problem)
        equal = pyconv.Conv2dProblem(line(p, dict.fromkeys(("ic", "oc"), equal_width(p, layer.isa))))
        more = convolution_cost(p).bytes / convolution_cost(equal).bytes
        if more >= _MORE_BYTES:
            found.append((more, layer, equal))
    if not found:
        return []
    more, worst, equal = max(found, key=lambda entry: entry[0])
    p = pyconv.Conv2dProblem(worst.problem)
    rest = [layer for _, layer, _ in found if layer is not worst]
    text = (
        f"{p.ic} to {p.oc} channels by 1x1 ({named([worst, *rest])}) move {times(more)} the bytes of {equal.ic} to "
        f"{equal.oc}, which are as many MACs"
    )
    seconds = None
    if beside is not None:
        ratio = beside(worst.problem, str(equal))
        text += f"; measured, they take {times(ratio)} the time"
        seconds = _lost([(layer, str(other)) for _, layer, other in found], beside)
    return [Finding("unequal_widths", f"{text}.", tuple(layer.name for _, layer, _ in found), seconds)]


def equal_width(p: pyconv.Conv2dProblem, isa: str) -> int:
    """Channels on both sides of a 1x1 layer with as many MACs, in whole vectors.

    >>> import pyconv
    >>> equal_width(pyconv.Conv2dProblem("ic64oc256_ih14kh1"), "avx512")
    128
    """
    lanes = LANES.get(isa, 1)
    return max(lanes, (isqrt(p.ic * p.oc) + lanes // 2) // lanes * lanes)


def fragments(layers: Sequence[Layer], beside: Beside | None) -> list[Finding]:
    """1x1 layers that read the same tensor, and could be one."""
    readers: dict[tuple[str, str], list[Layer]] = {}
    for layer in _pointwise(layers):
        source = next((t.name for t in layer.traffic if t.kind == "source"), "")
        p = pyconv.Conv2dProblem(layer.problem)
        readers.setdefault((source, line(p, {"oc": 1})), []).append(layer)
    groups = [group for group in readers.values() if len(group) > 1]
    if not groups:
        return []
    lost, worst, together = [], groups[0], 1.0
    for group in groups[:_MOST_MEASURED] if beside is not None else []:
        ratio = _one_for_all(group, beside) if beside is not None else 1.0
        seconds = sum(layer.seconds or 0.0 for layer in group)
        lost.append(seconds * max(0.0, 1 - ratio))
        if lost[-1] == max(lost):
            worst, together = group, ratio
    p = pyconv.Conv2dProblem(worst[0].problem)
    widths = [pyconv.Conv2dProblem(layer.problem).oc for layer in worst]
    if beside is not None and together > 1 - _LEAST_LOSS:
        return []
    text = (
        f"{len(worst)} convolutions of 1x1 read the same {p.ic} channels ({', '.join(layer.name for layer in worst)})"
    )
    if beside is not None:
        text += f": one of {sum(widths)} channels was measured to take {times(together)} the time of the {len(worst)}"
    else:
        text += f": one of {sum(widths)} channels would read them once"
    if len(groups) > 1:
        text += f"; {len(groups) - 1} more such group{'s' * (len(groups) > 2)}"
    names = tuple(layer.name for group in groups for layer in group)
    return [Finding("fragments", f"{text}.", names, sum(lost) if lost else None)]


def _one_for_all(group: Sequence[Layer], beside: Beside) -> float:
    """The time of one layer with all of the group's outputs, over the sum of theirs."""
    problems = [pyconv.Conv2dProblem(layer.problem) for layer in group]
    whole = line(problems[0], {"oc": sum(p.oc for p in problems)})
    apart = sum(beside(str(p), whole) for p in problems)
    return 1 / apart if apart else 1.0


def without_dead_taps(p: pyconv.Conv2dProblem) -> pyconv.Conv2dProblem | None:
    """The same convolution with the taps alone that meet a pixel somewhere; None where all do, or none.

    >>> import pyconv
    >>> str(without_dead_taps(pyconv.Conv2dProblem("ic8oc8_ih1kh3ph1")))
    'ic8oc8_ih1kh1'
    """
    rows = _live(p.ih, p.oh, p.kh, p.sh, p.pt, p.dh)
    columns = _live(p.iw, p.ow, p.kw, p.sw, p.pl, p.dw)
    if rows is None or columns is None:
        return None
    (top, kh), (left, kw) = rows, columns
    if (kh, kw) == (p.kh, p.kw):
        return None
    pt, pl = p.pt - top * p.dh, p.pl - left * p.dw
    pb = (p.oh - 1) * p.sh + (kh - 1) * p.dh + 1 - p.ih - pt
    pr = (p.ow - 1) * p.sw + (kw - 1) * p.dw + 1 - p.iw - pl
    if min(pt, pl, pb, pr) < 0:
        return None
    changes = {"kh": kh, "kw": kw, "pt": pt, "pl": pl, "pb": pb, "pr": pr}
    if kh == 1:
        changes["dh"] = 1
    if kw == 1:
        changes["dw"] = 1
    return pyconv.Conv2dProblem(line(p, changes))


def _live(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> tuple[int, int] | None:
    """(the first tap along an axis that meets a pixel, how many there are up to the last); None if none does."""
    taps = [
        tap for tap in range(kernel)
        if any(0 <= i * stride - padding + tap * dilation < size for i in range(out))
    ]  # fmt: skip
    return (taps[0], taps[-1] - taps[0] + 1) if taps else None


def _pointwise(layers: Sequence[Layer]) -> list[Layer]:
    """Dense 1x1 layers of more than one pixel."""
    found = []
    for layer in layers:
        if layer.problem and layer.op == "conv":
            p = pyconv.Conv2dProblem(layer.problem)
            if p.kh == p.kw == 1 and p.g == 1 and p.oh * p.ow > 1:
                found.append(layer)
    return found


def _lost(pairs: Sequence[tuple[Layer, str]], beside: Beside) -> float | None:
    """Seconds that the layers take beyond the others; the dearest problems are measured, the rest count nothing."""
    if any(layer.seconds is None for layer, _ in pairs):
        return None
    by_problem: dict[tuple[str, str], float] = {}
    for layer, other in pairs:
        key = layer.problem, other
        by_problem[key] = by_problem.get(key, 0.0) + (layer.seconds or 0.0)
    dearest = sorted(by_problem.items(), key=lambda item: -item[1])[:_MOST_MEASURED]
    return sum(seconds * max(0.0, 1 - 1 / beside(*key)) for key, seconds in dearest)
