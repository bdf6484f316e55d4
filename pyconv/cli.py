"""The `pyconv` command. Its work is done in `pyconv.commands` and `pyconv.study.commands`, which need the
extra "study"."""

from __future__ import annotations

import sys

_EXTRA = ("click", "rich", "matplotlib", "PIL")


def main() -> None:
    """Runs the command line; says what to install where the extra is missing."""
    try:
        from pyconv.commands import add_to
        from pyconv.study.commands import pyconv

        add_to(pyconv)
        pyconv()
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name not in _EXTRA:
            raise
        package = "pillow" if name == "PIL" else name
        sys.exit(
            f"pyconv: this command needs {package}, which comes with the extra 'study':\n"
            "    pip install 'pyconv-engine[study]'"
        )
