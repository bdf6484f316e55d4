"""`pytest benchmarks` times a small default set with pytest-benchmark."""

import importlib.util

import pytest

if importlib.util.find_spec("pytest_benchmark") is None:

    @pytest.fixture
    def benchmark():
        pytest.skip("pytest-benchmark is not installed: pip install 'pyconv-engine[bench]'")
