"""The tests under ASan, UBSan and LeakSanitizer, the executor under TSan: `pytest --slow tests/sanitize`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("script", ["run.py", "threads.py"])
def test_under_sanitizers(script):
    pytest.importorskip("pybind11")
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler")
    script = Path(__file__).with_name(script)
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]
