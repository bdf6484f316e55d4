"""How often a classifier is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyconv.model import Model
from pyconv.study import refit


@dataclass(frozen=True)
class Accuracy:
    """Of the old and the new network on the same pictures; ``agreed`` is how often both said the same."""

    pictures: int
    before: float
    after: float
    agreed: float

    def as_dict(self) -> dict[str, object]:
        return dict(vars(self))


def classes(model: Model, inputs: Any) -> Any:
    """The class with the largest output, for each input."""
    out = refit.run(model, inputs)[0]
    if out.reshape(len(out), -1).shape[1] < 2:
        raise ValueError(f"data: expected a network of several classes, this one returns {out.shape[1:]}")
    return out.reshape(len(out), -1).argmax(axis=1)


def compared(before: Model, after: Model, inputs: Any, labels: Any) -> Accuracy:
    """Both networks on the same inputs."""
    first, second = classes(before, inputs), classes(after, inputs)
    shares = [float(np.mean(same)) for same in (first == labels, second == labels, first == second)]
    return Accuracy(len(labels), *shares)
