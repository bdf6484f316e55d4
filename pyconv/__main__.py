"""`python -m pyconv` is `pyconv`."""

from pyconv.cli import main

main()
