"""A convolution engine for CPUs that shows its work."""

from pyconv._version import __version__

__all__ = ["__version__"]
