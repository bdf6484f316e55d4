"""What convolutions cost and how fast they run: counting, timing, this machine's roofline, reports.

`cost`, `machine`, `timing`, `network`, `page`, `factorize`, `approximate`, `gains`, `lab` and `effective_field` need
numpy alone; `report` and the command line need the extra ``pip install 'pyconv-engine[study]'``.
"""
