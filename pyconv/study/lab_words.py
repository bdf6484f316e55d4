"""The lab's figures as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyconv.study.units import percent, quantity, times

if TYPE_CHECKING:
    from pyconv.study.lab import Lab, Row

_KEPT = 0.9
_SAME = 0.05
_DEARER = 1.5


def speed(ratio: float) -> str:
    """A ratio of times as "1.8x faster" or "1.3x slower".

    >>> speed(1.84), speed(0.5), speed(1.01)
    ('1.8x faster', '2.0x slower', 'as fast')
    """
    if abs(ratio - 1.0) <= _SAME:
        return "as fast"
    return f"{times(ratio)} faster" if ratio > 1 else f"{times(1 / ratio)} slower"


def fewer(ratio: float) -> str:
    """A ratio of MACs as "8.4x fewer MACs".

    >>> fewer(8.4), fewer(1.0), fewer(0.5)
    ('8.4x fewer MACs', 'as many MACs', '2.0x more MACs')
    """
    if abs(ratio - 1.0) < 0.005:
        return "as many MACs"
    return f"{times(ratio)} fewer MACs" if ratio > 1 else f"{times(1 / ratio)} more MACs"


def sentence(lab: Lab, row: Row) -> str:
    """What a kind saves on paper, what of it is time, and where the rest went."""
    from pyconv.study.lab import NORMAL, PLAIN

    normal = lab[NORMAL]
    if row.name == NORMAL:
        return _itself(row)
    macs, gain = lab.mac_ratio(row), lab.time_ratio(row)
    if row.name == PLAIN:
        told = "by the same algorithm" if row.algorithm == normal.algorithm else f"by {row.algorithm}"
        return f"plain sum: {told}, {quantity(row.best_s, 's')}, {_than(speed(gain), 'the best')}."
    text = f"{row.name}: {fewer(macs)}, {_than(speed(gain), 'the layer')}"
    if lab.has_plain:
        text += f" and {_than(speed(lab.time_ratio(row, PLAIN)), 'its plain sum')}"
    if macs <= 1:
        return f"{text}{_dear(row)}."
    reasons = [r for r in (_transform(lab), _dear(row).removeprefix(": ")) if r]
    if gain >= _KEPT * macs:
        return f"{text}: {'all' if gain >= macs else 'nearly all'} of the saving is time."
    kept = f"{percent(gain / macs)} of the saving is time" if gain > 1 else "none of the saving is time"
    return f"{text}: {kept}{', because ' + ' and '.join(reasons) if reasons else ''}."


def _itself(row: Row) -> str:
    executed = (
        f", which executes {quantity(row.executed_macs)} of its {quantity(row.macs)} MACs"
        if row.executed_macs < row.macs
        else f", {quantity(row.macs)} MACs"
    )
    return f"the layer itself: {row.algorithm}{executed}, {quantity(row.best_s, 's')}."


def _than(told: str, what: str) -> str:
    return f"{told} as {what}" if told == "as fast" else f"{told} than {what}"


def _transform(lab: Lab) -> str:
    normal = lab.rows[0]
    if normal.executed_macs >= _KEPT * normal.macs:
        return ""
    return (
        f"the layer saves too ({normal.algorithm} executes {quantity(normal.executed_macs)} of its "
        f"{quantity(normal.macs)} MACs)"
    )


def _dear(row: Row) -> str:
    """The step that takes far more of the time than of the MACs, if there is one; else what binds the only one."""
    macs, seconds = sum(layer.macs for layer in row.layers) or 1, sum(row.seconds) or 1.0
    shares = [(spent / seconds, layer.macs / macs, layer) for layer, spent in zip(row.layers, row.seconds)]
    spent, share, layer = max(shares, key=lambda s: s[0] - s[1])
    bound = "" if layer.limit == "compute" else f", bound by {_memory(layer.limit)}"
    if len(row.layers) > 1 and spent > max(_DEARER * share, 0.1):
        takes = f"{percent(share)} of the MACs, takes {percent(spent)} of the time"
        return f": its {_what(layer.problem, layer.op)}, {takes}{bound}"
    if len(row.layers) == 1 and bound:
        return f": at {layer.intensity:.1f} FLOP/byte it is {bound.removeprefix(', ')}"
    return ""


def _what(problem: str, op: str) -> str:
    """A step in a word or two."""
    import pyconv

    if not problem:
        return f"{op.replace('_', ' ')} step"
    p = pyconv.Conv2dProblem(problem)
    name = "depthwise" if p.g == p.ic and p.g > 1 else f"{p.kh}x{p.kw}"
    return f"{name} step"


def _memory(limit: str) -> str:
    return "DRAM" if limit == "DRAM" else f"the {limit} cache"
