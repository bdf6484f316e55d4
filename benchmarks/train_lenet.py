"""Trains the LeNet-5 that comes with the package. Needs torch; some minutes on one core.

    python -m benchmarks.train_lenet --data DIR [--out FILE] [--digits FILE]
                                     [--activation tanh] [--pooling avg] [--epochs 24]

DIR holds MNIST's four IDX files (`*-ubyte.gz`). The network is `pyconv.zoo.lenet5` and the input that of
`pyconv.preprocess.mnist`. Each epoch moves, turns and scales every digit a little; Adam with a cosine
schedule; the weights kept are an exponential average. One thread and fixed seeds make a run repeatable
on one machine. The test set is looked at once, after the last epoch. `--digits` also writes thirty
digits of the test set: the first three of each class.
"""

from __future__ import annotations

import argparse
import gzip
import math
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:
    raise SystemExit("benchmarks.train_lenet: needs torch (pip install torch)") from error

from pyconv.formats import safetensors

MEAN, STD = 0.1307, 0.3081
BATCH = 128
AVERAGE = 0.998  # of the weights, per step
DEGREES, SHIFT, SCALE = 12.0, 2.0, 0.12  # at most, of the augmentation


def read_idx(path: Path) -> NDArray[np.uint8]:
    """An IDX file of bytes: zero, zero, type 8, rank, then the sizes as big-endian 32-bit numbers."""
    data = gzip.decompress(path.read_bytes())
    if data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    shape = np.frombuffer(data, ">u4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def load(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    return images, read_idx(folder / f"{part}-labels-idx1-ubyte.gz")


class LeNet5(nn.Module):
    """The layers and names of `pyconv.zoo.lenet5`."""

    def __init__(self, activation: str, pooling: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.conv3 = nn.Conv2d(16, 120, 5)
        self.fc1 = nn.Linear(120, 84)
        self.fc2 = nn.Linear(84, 10)
        self.act = {"tanh": torch.tanh, "relu": torch.relu}[activation]
        self.pool = {"avg": functional.avg_pool2d, "max": functional.max_pool2d}[pooling]

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act(self.conv1(x)), 2)
        x = self.pool(self.act(self.conv2(x)), 2)
        x = self.act(self.conv3(x)).flatten(1)
        return self.fc2(self.act(self.fc1(x)))


def distorted(x: Tensor) -> Tensor:
    """Each digit turned, scaled and moved on its own, bilinearly; x is (N, 1, 28, 28) in 0..1."""

    def uniform(most: float) -> Tensor:
        return (2 * torch.rand(len(x)) - 1) * most

    angle, scale = uniform(math.radians(DEGREES)), 1 + uniform(SCALE)
    across, down = uniform(SHIFT / 14), uniform(SHIFT / 14)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    matrix = torch.stack([torch.stack([cos, -sin, across], 1), torch.stack([sin, cos, down], 1)], 1)
    grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)


def train(net: LeNet5, images: Tensor, labels: Tensor, epochs: int, rate: float) -> dict[str, Tensor]:
    """Returns the averaged weights."""
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.01)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    average = {name: p.detach().clone() for name, p in net.state_dict().items()}
    for epoch in range(epochs):
        start, total = time.perf_counter(), 0.0
        order = torch.randperm(len(images))
        for i in range(len(images) // BATCH):
            chosen = order[i * BATCH : (i + 1) * BATCH]
            x = (distorted(images[chosen]) - MEAN) / STD
            loss = functional.cross_entropy(net(x), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            for name, p in net.state_dict().items():
                average[name].lerp_(p, 1 - AVERAGE)
        seconds = time.perf_counter() - start
        print(f"epoch {epoch + 1:2d}: loss {total * BATCH / len(images):.4f}, {seconds:.0f} s", flush=True)
    return average


def correct(net: LeNet5, images: Tensor, labels: Tensor) -> int:
    with torch.no_grad():
        parts = zip(images.split(1000), labels.split(1000))
        return sum(int((net((x - MEAN) / STD).argmax(1) == y).sum()) for x, y in parts)


def as_tensors(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    scaled = torch.from_numpy(images.astype(np.float32) / np.float32(255)).unsqueeze(1)
    return scaled, torch.from_numpy(labels.astype(np.int64))


def write_digits(path: Path, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    chosen = np.concatenate([np.flatnonzero(labels == digit)[:3] for digit in range(10)])
    np.savez_compressed(path, images=images[chosen], labels=labels[chosen], index=chosen.astype(np.int32))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--digits", type=Path)
    parser.add_argument("--activation", choices=("tanh", "relu"), default="tanh")
    parser.add_argument("--pooling", choices=("avg", "max"), default="avg")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1998)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    net = LeNet5(options.activation, options.pooling)
    average = train(net, *as_tensors(*load(options.data, "train")), options.epochs, options.rate)
    net.load_state_dict(average)
    images, labels = load(options.data, "t10k")
    right = correct(net, *as_tensors(images, labels))
    print(f"test set: {right} of {len(labels)}, {100 * right / len(labels):.2f} %")
    if options.digits:
        write_digits(options.digits, images, labels)
    if options.out:
        about = {
            "network": "lenet5",
            "activation": options.activation,
            "pooling": options.pooling,
            "mnist_test_accuracy": f"{right / len(labels):.4f}",
        }
        safetensors.save(options.out, {k: v.numpy() for k, v in average.items()}, metadata=about)


if __name__ == "__main__":
    main()
