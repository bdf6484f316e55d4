"""ncnn in fp32 with its packed layouts; it takes NCHW one image at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import ncnn
import numpy as np

from ..problems import Array, Problem
from . import Runner

NAME = "ncnn"


def version() -> str:
    return str(ncnn.__version__)


def runners(p: Problem, src: Array, weights: Array, bias: Array) -> Iterator[Runner]:
    if p.mb != 1 or (1 < p.g and (p.ic != p.g or p.oc != p.g) and (p.ic % p.g or p.oc % p.g)):
        return
    with tempfile.TemporaryDirectory() as folder:
        net = _net(Path(folder), p, weights, bias)
    source = ncnn.Mat(np.ascontiguousarray(src[0])).clone()
    last: list[ncnn.Mat] = []

    def run() -> None:
        extractor = net.create_extractor()
        extractor.input("src", source)
        last[:] = [extractor.extract("dst")[1]]

    yield Runner("packed", run, lambda: np.array(last[0])[None])


def network_runners(folder: Path, src: Array, threads: int) -> Iterator[Runner]:
    """The network of `network.param` and `network.bin`, one image after the other."""
    net = _loaded(folder / "network.param", folder / "network.bin", threads)
    (given,), (made,) = net.input_names(), net.output_names()
    sources = [ncnn.Mat(np.ascontiguousarray(image)).clone() for image in src]
    last: list[ncnn.Mat] = []

    def run() -> None:
        last.clear()
        for source in sources:
            extractor = net.create_extractor()
            extractor.input(given, source)
            last.append(extractor.extract(made)[1])

    yield Runner("packed", run, lambda: np.stack([np.array(image) for image in last]))


def _net(folder: Path, p: Problem, weights: Array, bias: Array) -> ncnn.Net:
    """A net of one layer, through ncnn's two files: text parameters, raw weights behind a zero tag."""
    kind = "Convolution" if p.g == 1 else "ConvolutionDepthWise"
    sizes = {
        0: p.oc, 1: p.kw, 11: p.kh, 2: p.dw, 12: p.dh, 3: p.sw, 13: p.sh, 4: p.pl, 14: p.pt,
        15: p.pr, 16: p.pb, 5: 1, 6: weights.size,
    }  # fmt: skip
    if p.g > 1:
        sizes[7] = p.g
    words = " ".join(f"{key}={value}" for key, value in sizes.items())
    text = f"7767517\n2 2\nInput src 0 1 src\n{kind} conv 1 1 src dst {words}\n"
    (folder / "net.param").write_text(text, encoding="ascii")
    tag = np.zeros(1, np.uint32).tobytes()
    (folder / "net.bin").write_bytes(tag + weights.tobytes() + bias.tobytes())
    try:
        return _loaded(folder / "net.param", folder / "net.bin", 1)
    except ValueError:
        raise ValueError(f"ncnn refused {p}") from None


def _loaded(parameters: Path, weights: Path, threads: int) -> ncnn.Net:
    """A net in fp32 throughout."""
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, option, False)
    if net.load_param(str(parameters)) or net.load_model(str(weights)):
        raise ValueError(f"ncnn refused {parameters}")
    return net
