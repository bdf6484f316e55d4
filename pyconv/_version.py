"""The one place that states the version; setup.py compiles it into the extension."""

__version__ = "0.1.0"
