"""The promises of docs/reliability.md, and what shows each of them on this machine.

A promise is a function in a module of this package that tries random cases, or the cases that matter, until
its time is up, and returns figures. `pyconv.trust.promises` lists them, `pyconv.trust.run` runs each in a
process of its own, and `pyconv stress` shows them. Cases depend on a seed and their index alone.
"""
