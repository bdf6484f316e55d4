"""An approximation in words."""

from __future__ import annotations

from pyconv.study.accuracy import Accuracy
from pyconv.study.approximate import Approximation, Layer
from pyconv.study.factorize import Structure
from pyconv.study.gains import Gain, Gains
from pyconv.study.lab_words import fewer, speed
from pyconv.study.units import percent, quantity

_KEPT = 0.9
_SAME = 0.05
_NOISY = 0.25
_VECTOR = 8


def rank_text(layer: Layer) -> str:
    return "x".join(map(str, layer.factors.rank))


def layer_sentence(layer: Layer, gain: Gain | None) -> str:
    """What a chain saves, what it gets wrong, and what became of the saving."""
    saved = layer.macs[0] / layer.macs[1]
    text = (
        f"{layer.name}: {layer.factors.method} at rank {rank_text(layer)} leaves {percent(layer.factors.error)} "
        f"of the weights out and needs {fewer(saved)}"
    )
    if gain is None:
        return f"{text}."
    together = "" if len(gain.names) == 1 else f", with {_others(layer, gain)}"
    if gain.ratio <= 1 - _SAME:
        return f"{text}, yet it is {speed(gain.ratio)}{together}: {_lost(layer, gain)}."
    if gain.ratio < _KEPT * saved:
        kept = "" if gain.ratio < 1 + _SAME else f", {percent(gain.ratio / saved)} of the saving"
        return f"{text}, and is {speed(gain.ratio)}{together}{kept}: {_lost(layer, gain)}."
    return f"{text}, and is {speed(gain.ratio)}{together}."


def _others(layer: Layer, gain: Gain) -> str:
    names = [name for name in gain.names if name != layer.name]
    return f"{names[0]} and others" if len(names) > 1 else names[0]


def _lost(layer: Layer, gain: Gain) -> str:
    """What the layer saves by itself, and what a chain pays beside its MACs."""
    reasons = []
    if len(gain.names) == 1 and gain.executed_macs[0] < _KEPT * layer.macs[0]:
        executed, chain = (quantity(n) for n in gain.executed_macs)
        reasons.append(
            f"the layer itself runs by {gain.algorithms[0]}, which executes {executed} MACs where the chain "
            f"executes {chain}"
        )
    thin = min(shape.oc for shape in layer.factors.shapes[:-1])
    if thin < _VECTOR:
        reasons.append(f"{thin} channel{'s' * (thin > 1)} fill no vector")
    if not reasons:
        reasons.append(f"{len(layer.factors.stages)} steps write their outputs where one did")
    return ", and ".join(reasons)


def sentence(
    name: str, found: Approximation, measured: Gains | None = None, accuracy: Accuracy | None = None
) -> str:
    """The whole network in one sentence."""
    if not found.layers:
        return f"{name} stays as it is: no layer is cheaper as a chain."
    before, after = found.macs
    parts = [
        f"{name} with {len(found.layers)} of its layers as chains has {fewer(before / after)} "
        f"({quantity(before)} to {quantity(after)})"
    ]
    if measured is not None:
        whole = measured.whole
        seconds = f"{quantity(whole.before.minimum, 's')} to {quantity(whole.after.minimum, 's')}"
        parts.append(f"is {speed(whole.ratio)} ({seconds})")
    if accuracy is not None:
        parts.append(
            f"is right on {100 * accuracy.after:.2f} % of {accuracy.pictures:,} pictures where it was on "
            f"{100 * accuracy.before:.2f} %"
        )
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{text}{_doubt(measured)}."


def _doubt(measured: Gains | None) -> str:
    if measured is None or measured.whole.before.spread <= _NOISY:
        return ""
    return (
        f"; but rounds differ by {percent(measured.whole.before.spread)}: repeat it when the machine is idle"
    )


def structure_line(found: Structure) -> str:
    """What the weights of a network have of themselves.

    >>> from pyconv.study.factorize import structure
    >>> structure_line(structure([[[[3, 6, 9], [4, 8, 12], [5, 10, 15]]]]))
    'the one kernel is a column times a row'
    """
    if found.kernels == 1:
        return f"the one kernel is {'a' if found.rank_one else 'no'} column times a row"
    if not found.rank_one:
        return f"none of the {found.kernels:,} kernels is a column times a row"
    return f"{found.rank_one:,} of the {found.kernels:,} kernels are a column times a row"
