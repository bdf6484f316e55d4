"""ONNX models into graphs. Needs the `onnx` package (``pip install pyconv-engine[onnx]``), only to read.

Opsets 7 to 28. `operators` lists what is taken; a model that has anything else is refused with every
node that stands in the way named, and nothing is half loaded. The file is not trusted.
"""

from __future__ import annotations

from pyconv.formats.onnx.importer import NeedConstant, OnnxNetwork, load_onnx
from pyconv.formats.onnx.table import operators

__all__ = ["NeedConstant", "OnnxNetwork", "load_onnx", "operators"]
