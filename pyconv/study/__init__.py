"""What convolutions cost and how fast they run: counting, timing, this machine's roofline, reports.

`cost`, `machine`, `timing`, `network` and `page` need numpy alone; `report` and the command line need the extra
``pip install 'pyconv-engine[study]'``.
"""
