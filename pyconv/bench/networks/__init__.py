"""The networks that bench_networks measures, and the graph that every engine is given.

A network is traced once; batch norms behind convolutions are folded, as in anything deployed. That graph
is written for ours as a model file, and for the peers by export_onnx and export_ncnn, so that all of them
run the same nodes on the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import pyconv
from pyconv import nn

from ..problems import Array, aligned
from .graph import Graph

KEPT_PASSES = ("drop_identities", "fold_constants", "fold_batch_norm")


@dataclass(frozen=True)
class Network:
    """A network of the zoo and the least ratio of the best peer's median to ours (fast, one thread)."""

    name: str
    zoo: str
    goal: float
    shape: tuple[int, int, int] = (3, 224, 224)


NETWORKS = {
    network.name: network
    for network in (
        Network("lenet5", "lenet5", 2.0, (1, 28, 28)),
        Network("alexnet", "alexnet", 1.1),
        Network("vgg16", "vgg16", 1.5),
        Network("googlenet", "googlenet", 1.45),
        Network("resnet18", "resnet18", 1.8),
        Network("resnet50", "resnet50", 1.28),
        Network("densenet121", "densenet121", 1.3),
        Network("mobilenet_v1", "mobilenet_v1", 1.06),
        Network("mobilenet_v1_full", "mobilenet_v1_full", 1.25),
        Network("mobilenet_v2", "mobilenet_v2", 1.12),
        Network("efficientnet_b0", "efficientnet_b0", 1.25),
    )
}


def module(network: Network) -> nn.Module:
    """The network with the same random weights every time."""
    nn.manual_seed(0)
    make: Callable[[], nn.Module] = getattr(pyconv.zoo, network.zoo)
    return make()


def exchanged(net: nn.Module, shape: tuple[int, ...], *, activations: bool = False) -> Graph:
    """The graph for the peers: batch norms folded; with `activations`, these are fused as well."""
    kept = (*KEPT_PASSES, "fuse_activation") if activations else KEPT_PASSES
    without = [name for name, _, _ in pyconv.passes() if name not in kept]
    return Graph.read(pyconv.compile(net, shape, without=without).graph)


def pictures(shape: tuple[int, ...], seed: int = 1) -> Array:
    """Normal numbers in an aligned NCHW array."""
    source = aligned(shape)
    source[...] = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return source
