"""A trained network with some of its convolutions as chains of cheaper ones: which, at what rank, at what error.

Batch norms are folded first, and a chain takes a layer's bias along, so what is approximated is what would run.
Where pictures are given, the last stage of each chain is fitted to them, layer after layer: to the outputs that
the layer has in the network as it was, from the inputs that it gets in the network as it has become (Zhang,
Zou, He, Sun, arXiv:1505.06798, section 3.3; here before the activation).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pyconv
from pyconv import _core
from pyconv.graph import GraphBuilder
from pyconv.model import Model
from pyconv.study import factorize, refit
from pyconv.study.cost import convolution_cost
from pyconv.study.factors import Factors, problems
from pyconv.study.rewrite import Chain, Convolution, convolutions, made_anew, plain

Floats = NDArray[np.float32]
LineCost = Callable[[str], float]
"""What a convolution costs, by its line."""


@functools.lru_cache(maxsize=1 << 16)
def cycles(line: str) -> float:
    """What the planner expects of the best algorithm on this CPU, in fast mode, on one thread.

    >>> cycles("ic64oc64_ih56kh3ph1") < 115_605_504 / 8
    True
    """
    p = pyconv.Conv2dProblem(line)
    verdicts = pyconv.algorithms(
        (p.mb, p.ic, p.ih, p.iw),
        (p.oc, p.ic // p.g, p.kh, p.kw),
        stride=(p.sh, p.sw),
        padding=(p.pt, p.pb, p.pl, p.pr),
        dilation=(p.dh, p.dw),
        groups=p.g,
        layout="nhwc",
        threads=1,
    )
    return min(verdict.cost for verdict in verdicts if verdict.accepted)


COSTS: Mapping[str, LineCost] = {"macs": lambda line: pyconv.Conv2dProblem(line).macs, "time": cycles}
BEST = "best"
"""In place of a method: of each layer the one that is cheapest at the tolerance."""


@dataclass(frozen=True)
class Layer:
    """A convolution that became a chain. ``output_error`` is the norm of what the chain gets wrong of the
    layer's outputs before the activation, over the norm of those without bias, on the inputs given: of the new
    network against the old, so what earlier layers got wrong counts too. None without inputs."""

    name: str
    problem: str
    factors: Factors
    parameters: tuple[int, int]
    macs: tuple[int, int]
    output_error: float | None = None

    def as_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "problem": self.problem,
            "method": self.factors.method,
            "rank": list(self.factors.rank),
            "stages": [str(pyconv.Conv2dProblem(line)) for line in self.stages],
            "parameters": list(self.parameters),
            "macs": list(self.macs),
            "weight_error": self.factors.error,
            "output_error": self.output_error,
        }

    @property
    def stages(self) -> list[str]:
        return self.factors.problems(pyconv.Conv2dProblem(self.problem))


@dataclass(frozen=True)
class Approximation:
    """A network and what became of its convolutions; ``left`` says why some stayed as they were.

    ``network`` is what `pyconv.compile` takes; ``parameters`` and ``macs`` are those of all convolutions and
    linear layers, before and after.
    """

    graph: _core.Graph
    chains: Mapping[str, Chain]
    layers: Sequence[Layer]
    left: Mapping[str, str] = field(default_factory=dict)

    @property
    def network(self) -> GraphBuilder:
        return made_anew(self.graph, self.chains)

    @property
    def original(self) -> GraphBuilder:
        """The network as it was, in the same form."""
        return made_anew(self.graph)

    def compile(self, **options: Any) -> Model:
        """A `Model` of the new network; the options are those of `pyconv.compile`."""
        model: Model = pyconv.compile(self.network, **options)
        return model

    @property
    def macs(self) -> tuple[int, int]:
        before = sum(node["macs"] for node in self.graph.nodes())
        return before, before + sum(layer.macs[1] - layer.macs[0] for layer in self.layers)

    @property
    def parameters(self) -> tuple[int, int]:
        before = sum(
            self.graph.constant(id).size
            for node in self.graph.nodes()
            if node["macs"]
            for id in node["inputs"][1:]
            if id >= 0 and self.graph.value(id)[3]
        )
        return before, before + sum(layer.parameters[1] - layer.parameters[0] for layer in self.layers)

    def only(self, names: Collection[str], why: str) -> Approximation:
        """With the chains of these layers alone; the others are left for this reason."""
        dropped = {layer.name: why for layer in self.layers if layer.name not in names}
        return dataclasses.replace(
            self,
            chains={name: chain for name, chain in self.chains.items() if name in names},
            layers=[layer for layer in self.layers if layer.name in names],
            left={**self.left, **dropped},
        )

    def as_dict(self) -> dict[str, object]:
        return {
            "parameters": list(self.parameters),
            "macs": list(self.macs),
            "layers": [layer.as_dict() for layer in self.layers],
            "left": dict(self.left),
        }


def approximate(
    net: Any,
    input_shape: Any = None,
    *,
    method: str = "tucker2",
    rank: int | Sequence[int] | Mapping[str, Any] | None = None,
    tolerance: float | None = None,
    energy: float | None = None,
    budget: float | None = None,
    save: str = "macs",
    layers: Collection[str] | None = None,
    data: Floats | None = None,
    fit: bool = True,
    on_layer: Callable[[str], None] | None = None,
) -> Approximation:
    """A network whose convolutions are chains, at a rank, within a tolerance, or under a budget.

    Args:
        net, input_shape: what `pyconv.compile` takes.
        method: one of `factorize.METHODS`, or "best": the cheapest of them, layer by layer.
        rank: of every layer that has it, or by the layer's name.
        tolerance: of each layer, the cheapest rank whose relative error on the weights is no larger.
        energy: the same as a share of the squared norm that is kept.
        budget: the share of the convolutions' cost that shall be left. Ranks are chosen so that the sum over
            the layers of squared relative errors is least, as far as chords of its convex hull go.
        save: what the cost is: "macs", or "time" as the planner estimates it, each stage by its best algorithm.
        layers: the names of those that may change; None: all.
        data: inputs of the network, (N, ...) as it takes them, on which errors are measured.
        fit: fit the last stage of each chain to the data, if there is any.
        on_layer: called with the name of each layer before work on it begins.

    A layer is left as it is where no chain costs less, and `Approximation.left` says so.

    >>> import pyconv
    >>> net = pyconv.zoo.lenet5(pretrained=True)
    >>> found = approximate(net, (1, 1, 28, 28), method="spatial", tolerance=0.3)
    >>> [(layer.name, layer.factors.rank, layer.factors.error <= 0.3) for layer in found.layers]
    [('conv1', (3,), True), ('conv2', (14,), True), ('conv3', (40,), True)]
    >>> found.compile().output_shapes
    {'output': (1, 10)}
    """
    if sum(x is not None for x in (rank, tolerance, energy, budget)) != 1:
        raise ValueError("rank, tolerance, energy, budget: expected one of them")
    methods = _methods(method)
    if save not in COSTS:
        raise ValueError(f"save: expected one of {', '.join(COSTS)}, got {save!r}")
    cost = COSTS[save]
    graph = plain(net, input_shape)
    known = {conv.name: conv for conv in convolutions(graph)}
    for name in (*(layers or ()), *(rank if isinstance(rank, Mapping) else ())):
        if name not in known:
            raise ValueError(f"layers: expected some of {', '.join(known)}, got {name!r}")
    if layers is not None:
        known = {name: conv for name, conv in known.items() if name in layers}
    if data is not None:
        refit.check(graph, data)
    say = on_layer or (lambda name: None)
    if energy is not None:
        if not 0 <= energy <= 1:
            raise ValueError(f"energy: expected a share from 0 to 1, got {energy}")
        tolerance = float(np.sqrt(1.0 - energy))
    chosen, left = {}, {}
    plan = None if budget is None else _allocated(list(known.values()), methods, budget, cost)
    for name, conv in known.items():
        say(name)
        wanted = rank.get(name) if isinstance(rank, Mapping) else rank
        if plan is not None:
            found = (
                _at(conv, [plan[name].method], plan[name].rank, cost)
                if name in plan
                else "the budget needs no less"
            )
        elif tolerance is not None:
            found = _within(conv, methods, tolerance, cost)
        else:
            found = "no rank was named for it" if wanted is None else _at(conv, methods, wanted, cost)
        if isinstance(found, str):
            left[name] = found
        else:
            chosen[name] = Chain(found, conv.bias)
    errors: dict[str, float] = {}
    if data is not None:
        convs = [known[name] for name in chosen]
        chosen, errors = refit.refitted(graph, convs, chosen, data, fit=fit, say=say)
    return Approximation(graph, chosen, [_layer(known[n], c, errors.get(n)) for n, c in chosen.items()], left)


def _methods(method: str) -> list[str]:
    if method == BEST:
        return list(factorize.METHODS)
    if method not in factorize.METHODS:
        raise ValueError(f"method: expected one of {BEST}, {', '.join(factorize.METHODS)}, got {method!r}")
    return [method]


def _dims(conv: Convolution) -> tuple[int, int, int, int]:
    oc, icg, kh, kw = conv.weight.shape
    return oc // conv.problem.g, icg, kh, kw


def _fitting(conv: Convolution, methods: Sequence[str]) -> tuple[list[str], str]:
    """The methods that take such weights, and why the others do not."""
    refusals = {name: factorize.METHODS[name].refusal(_dims(conv)) for name in methods}
    return [name for name, refusal in refusals.items() if refusal is None], "; ".join(
        f"{name}: {refusal}" for name, refusal in refusals.items() if refusal
    )


def _at(conv: Convolution, methods: Sequence[str], rank: Any, cost: LineCost) -> Factors | str:
    """The cheapest chain of this rank, a reason where there is none that saves."""
    fitting, refusals = _fitting(conv, methods)
    tried = []
    for name in fitting:
        try:
            tried.append(factorize.factorize(conv.weight, name, rank=rank, groups=conv.problem.g))
        except ValueError as error:
            if "rank: expected" not in str(error):
                raise
            refusals = f"{refusals}; {error}" if refusals else str(error)
    return _saving(conv, tried, cost, refusals or "no rank fits")


def _within(conv: Convolution, methods: Sequence[str], tolerance: float, cost: LineCost) -> Factors | str:
    fitting, refusals = _fitting(conv, methods)
    if not fitting:
        return refusals
    tried = []
    for name in fitting:
        try:
            tried.append(
                factorize.factorize(
                    conv.weight,
                    name,
                    tolerance=tolerance,
                    groups=conv.problem.g,
                    layer=conv.problem,
                    cost=_of_shapes(conv, cost),
                )
            )
        except ValueError as error:
            if "tolerance: no rank" not in str(error):
                raise
    return _saving(conv, tried, cost, f"no rank within {tolerance:g} saves any")


def _of_shapes(conv: Convolution, cost: LineCost) -> factorize.Cost:
    return lambda shapes: sum(cost(line) for line in problems(shapes, conv.problem))


def _saving(conv: Convolution, tried: Sequence[Factors], cost: LineCost, otherwise: str) -> Factors | str:
    costs = [_of_shapes(conv, cost)(factors.shapes) for factors in tried]
    if not costs:
        return otherwise
    least = min(range(len(costs)), key=costs.__getitem__)
    if costs[least] >= cost(str(conv.problem)):
        return f"{tried[least].method} would cost more"
    return tried[least]


def _allocated(
    convs: Sequence[Convolution], methods: Sequence[str], budget: float, cost: LineCost
) -> dict[str, factorize.Option]:
    """A rank for each layer so that the cost of all comes within `budget`: the next step down is always the one
    that adds least to the squared errors for what it saves."""
    if not 0 < budget <= 1:
        raise ValueError(f"budget: expected a share of the cost above 0, at most 1, got {budget}")
    whole = {conv.name: cost(str(conv.problem)) for conv in convs}
    steps = []
    least = 0.0
    for conv in convs:
        hull = _hull(_choices(conv, methods, cost), whole[conv.name])
        least += hull[-1].cost if hull else whole[conv.name]
        spent, missed = whole[conv.name], 0.0
        for option in hull:
            steps.append(((option.error**2 - missed) / (spent - option.cost), conv.name, option))
            spent, missed = option.cost, option.error**2
    total, allowed = sum(whole.values()), budget * sum(whole.values())
    if least > allowed:
        raise ValueError(
            f"budget: expected {least / total:.3g} or more for these layers and methods, got {budget:g}"
        )
    chosen: dict[str, factorize.Option] = {}
    for _, name, option in sorted(steps, key=lambda step: step[0]):
        if total <= allowed:
            break
        total += option.cost - (chosen[name].cost if name in chosen else whole[name])
        chosen[name] = option
    return chosen


def _choices(conv: Convolution, methods: Sequence[str], cost: LineCost) -> list[factorize.Option]:
    found = []
    for name in _fitting(conv, methods)[0]:
        found += factorize.options(
            conv.weight, name, groups=conv.problem.g, layer=conv.problem, cost=_of_shapes(conv, cost)
        )
    return [option for option in found if option.cost < cost(str(conv.problem))]


def _hull(options: Sequence[factorize.Option], whole: float) -> list[factorize.Option]:
    """The lower convex hull of squared error over cost, from the whole layer down."""
    hull: list[factorize.Option] = []

    def slope(a: tuple[float, float], b: tuple[float, float]) -> float:
        return (b[1] - a[1]) / (a[0] - b[0])

    for option in sorted(options, key=lambda o: (-o.cost, o.error)):
        point = (option.cost, option.error**2)
        while hull:
            last = (hull[-1].cost, hull[-1].error ** 2)
            before = (hull[-2].cost, hull[-2].error ** 2) if len(hull) > 1 else (whole, 0.0)
            if last[0] > point[0] and slope(before, last) < slope(last, point):
                break
            hull.pop()
        hull.append(option)
    return hull


def _layer(conv: Convolution, chain: Chain, error: float | None) -> Layer:
    cost = convolution_cost(conv.problem)
    before, after = (0 if bias is None else bias.size for bias in (conv.bias, chain.bias))
    return Layer(
        conv.name,
        str(conv.problem),
        chain.factors,
        (cost.parameters + before, chain.factors.parameters + after),
        (cost.macs, chain.factors.macs(conv.problem)),
        error,
    )
