"""Benchmarks that come with the package: kernels, layers and whole networks, other engines beside them where
they are installed, and what changed between two results. `pyconv bench` runs them; shapes are data."""
