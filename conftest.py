"""`python -m pytest` puts this folder on sys.path; benchmarks/__init__.py knows when it may stay."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parent / "benchmarks" / "__init__.py"))
