"""verify: the exact bits of this machine against the stored ones."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import numpy as np
from rich.table import Table

import pyconv
from pyconv.commands.options import console, plainly
from pyconv.trust import golden
from pyconv.trust.run import machine


def usable() -> list[str]:
    """Instruction sets of this process, the plainest first."""
    order = ("scalar", "avx2", "avx512", "neon")
    here = {kernel.isa for kernel in pyconv.kernels() if kernel.available}
    return [isa for isa in order if isa in here]


@click.command()
@click.option(
    "--isa", multiple=True, help="This instruction set; several times for several.  [default: all here]"
)
@click.option("--list", "listing", is_flag=True, help="Print every check, not only those that fail.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plainly
def verify(isa: tuple[str, ...], listing: bool, as_json: bool) -> None:
    """Checks the exact results of this machine against hashes that come with the package.

    Convolutions by every algorithm, elementwise functions, further operators and small networks, on inputs that
    are the same everywhere. The exit code is 1 where a hash differs.
    """
    for name in isa:
        if name not in usable():
            raise ValueError(f"--isa: expected one of {', '.join(usable())}, got {name!r}")
    chosen = [name for name in usable() if not isa or name in isa]
    rows = list(_rows(chosen))
    wrong = [row for row in rows if row["got"] != row["expected"]]
    if as_json:
        click.echo(json.dumps({"machine": machine(), "kept": not wrong, "checks": rows}, indent=1))
    else:
        _print(rows, chosen, listing)
    if wrong:
        raise SystemExit(1)


def _rows(isas: list[str]) -> Iterator[dict[str, str]]:
    stored = golden.stored()
    with np.errstate(all="ignore"):
        for group, name, check in golden.checks():
            expected = stored.get(group, {}).get(name, "nothing stored")
            for isa in isas:
                got = check(isa)
                yield {"group": group, "name": name, "isa": isa, "expected": expected, "got": got}


def _print(rows: list[dict[str, str]], isas: list[str], listing: bool) -> None:
    out = console(width=120)
    table = Table("checks", *isas, box=None, pad_edge=False, header_style="bold")
    for group in dict.fromkeys(row["group"] for row in rows):
        cells = []
        for isa in isas:
            of = [row for row in rows if (row["group"], row["isa"]) == (group, isa)]
            right = sum(row["got"] == row["expected"] for row in of)
            cells.append(
                f"{right} of {len(of)}" if right == len(of) else f"[bold red]{right} of {len(of)}[/]"
            )
        table.add_row(group, *cells)
    out.print(table)
    for row in rows:
        right = row["got"] == row["expected"]
        if listing or not right:
            verdict = "right" if right else f"expected {row['expected']}, got {row['got']}"
            out.print(
                f"{row['group']}, {row['name']}, {row['isa']}: {verdict}", highlight=False, markup=False
            )
