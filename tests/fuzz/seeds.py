"""Writes small model files to begin with: some of each operator, and networks with several nodes.

python tests/fuzz/seeds.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pyconv  # noqa: E402
from pyconv import nn  # noqa: E402
from pyconv.formats import model_file  # noqa: E402
from pyconv.graph import GraphBuilder  # noqa: E402
from pyconv.nn import functional as F  # noqa: E402

PER_KIND = 4


class Block(nn.Module):
    """Convolutions of all sorts, with what passes fold and fuse around them."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.wide, self.deep = nn.Conv2d(4, 8, 1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.narrow, self.last = nn.Conv2d(8, 4, 1), nn.Linear(8, 3)

    def forward(self, x):
        x = F.relu(self.norm(self.first(x)))
        x = x + self.narrow(F.relu6(self.deep(F.relu6(self.wide(x)))))
        x = F.cat([F.max_pool2d(x, 2), F.avg_pool2d(x, 2)], 1)
        return F.softmax(self.last(x.mean((2, 3))))


def networks():
    nn.manual_seed(0)
    for shape in ((1, 3, 6, 6), (3, 3, 4, 5)):
        yield pyconv.compile(Block(), shape, without=[p[0] for p in pyconv.passes()]).graph
        yield pyconv.compile(Block(), shape).graph
    builder = GraphBuilder()
    x = builder.input("x", (2, 3), "int64")
    builder.outputs([builder.node("gather", [builder.constant(np.eye(4, dtype=np.float32)), x], axis=0)])
    yield builder.graph


def drawn():
    """The nodes that the importer's tests draw, as the engine's graphs."""
    try:
        from pyconv.formats.onnx import OnnxNetwork
        from support import onnx_drawn
    except ImportError:
        return
    for kind in onnx_drawn.KINDS:
        for seed in range(PER_KIND):
            opset = 7 + 5 * seed
            case = getattr(onnx_drawn.Draw([seed, 11], opset), kind)()
            builder = GraphBuilder()
            try:
                yield OnnxNetwork(case.model(opset)).graph_for(None, builder).graph
            except ValueError:
                continue


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, graph in enumerate([*networks(), *drawn()]):
        (folder / f"seed{i:03}").write_bytes(model_file.dumps(graph, {}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
