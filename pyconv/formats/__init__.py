"""Readers and writers of weights. None trusts its file, and none needs more than numpy."""

from pyconv.formats import safetensors
from pyconv.formats.npz import load_npz
from pyconv.formats.torch_checkpoint import load_torch_checkpoint
from pyconv.formats.weights import kind_of, load_weights

__all__ = ["kind_of", "load_npz", "load_torch_checkpoint", "load_weights", "safetensors"]
