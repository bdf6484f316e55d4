"""torch: channels-last, once as an eager call and once with oneDNN's prepacked weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from ..problems import Array, Problem
from . import Runner

NAME = "torch"


def version() -> str:
    return str(torch.__version__)


def runners(p: Problem, src: Array, weights: Array, bias: Array) -> Iterator[Runner]:
    if (p.pt, p.pl) != (p.pb, p.pr):
        return
    torch.set_num_threads(1)
    last = torch.channels_last
    with torch.inference_mode():
        x = torch.from_numpy(src).clone(memory_format=last)
        w = torch.from_numpy(weights).clone(memory_format=last)
        b = torch.from_numpy(bias).clone()
    stride, padding, dilation = [p.sh, p.sw], [p.pt, p.pl], [p.dh, p.dw]
    yield _runner("eager", lambda: torch.conv2d(x, w, b, stride, padding, dilation, p.g))
    if torch.backends.mkldnn.is_available():
        packed = torch.ops.mkldnn._reorder_convolution_weight(
            w, padding, stride, dilation, p.g, list(x.shape)
        )
        conv = torch.ops.mkldnn._convolution_pointwise.default
        yield _runner(
            "prepacked",
            lambda: conv(x, packed, b, padding, stride, dilation, p.g, "none", [], ""),
        )


def network_runners(folder: Path, src: Array, threads: int) -> Iterator[Runner]:
    """The network of `network.pt`, channels-last: frozen, and with torch's optimisations for inference."""
    torch.set_num_threads(threads)
    with torch.inference_mode():
        x = torch.from_numpy(src).clone(memory_format=torch.channels_last)
    for how in ("frozen", "optimized"):
        module = torch.jit.load(str(folder / "network.pt")).eval()
        if how == "optimized":
            module = torch.jit.optimize_for_inference(module)
        yield _network_runner(how, module, x)


def _network_runner(how: str, module: torch.jit.ScriptModule, x: torch.Tensor) -> Runner:
    last: list[torch.Tensor] = []

    def run() -> None:
        with torch.inference_mode():
            last[:] = [module(x)]

    return Runner(how, run, lambda: last[0].numpy())


def _runner(how: str, call: Callable[[], torch.Tensor]) -> Runner:
    def result() -> Array:
        return call().numpy()  # type: ignore[no-any-return]

    return Runner(how, call, result)


def activation(
    name: str, src: Array, keywords: dict[str, object]
) -> tuple[Callable[[], object], Callable[[], Array]]:
    """A call of torch.nn.functional.<name> on one thread, and how to get its result."""
    torch.set_num_threads(1)
    with torch.inference_mode():
        x = torch.from_numpy(src).clone()
    function = getattr(torch, name) if name in ("sigmoid", "tanh") else getattr(torch.nn.functional, name)
    if name in ("sigmoid", "tanh"):
        out = torch.empty_like(x)
        keywords = {**keywords, "out": out}
    return lambda: function(x, **keywords), lambda: function(x, **keywords).numpy()
