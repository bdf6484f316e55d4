"""Benchmarks, run as `python -m benchmarks.<name>` from the source tree, against the installed
package: a source tree without a built extension is taken off `sys.path`, so that `import pyconv`
finds the one that `pip install .` made."""

import sys
from pathlib import Path

_root = Path(__file__).resolve().parent.parent
if not any((_root / "pyconv").glob("_core.*.so")):
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != _root]
