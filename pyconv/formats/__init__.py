"""Readers and writers of weights, and names of classes. None trusts its file, and none needs more than numpy."""

from pyconv.formats import safetensors
from pyconv.formats.labels import labels_beside, load_labels
from pyconv.formats.npz import load_npz
from pyconv.formats.torch_checkpoint import load_torch_checkpoint
from pyconv.formats.weights import kind_of, load_weights

__all__ = [
    "kind_of",
    "labels_beside",
    "load_labels",
    "load_npz",
    "load_torch_checkpoint",
    "load_weights",
    "safetensors",
]
