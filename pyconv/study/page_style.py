"""What a page carries along: its style, for light, dark and paper, and the script that sorts its table."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --bg: #ffffff; --fg: #1b1f24; --dim: #5b6570; --line: #d5dae0;
  --panel: #f6f7f9; --compute: #2462c2; --l1: #12808a; --l2: #2d8a3e; --l3: #b26a00; --dram: #c43a2b;
  --bar: #2462c2; --other: #c26a1a; --grid: #e6e9ed; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171b; --fg: #e4e7eb; --dim: #98a2ad; --line: #363d46;
  --panel: #1c2127; --compute: #79a8f5; --l1: #4fc3cf; --l2: #6fca80; --l3: #e8ad4d; --dram: #f28b7d;
  --bar: #79a8f5; --other: #eba25e; --grid: #282e35; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 1180px; background: var(--bg); color: var(--fg);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; } .wide:has(> table.errors) { width: fit-content; }
p { margin: .4rem 0; max-width: 75ch; } .lead { font-size: 1.08rem; } .dim, figcaption { color: var(--dim); }
figcaption { font-size: .87rem; max-width: 95ch; } figure { margin: .4rem 0; }
dl { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; }
dl div { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .5rem .9rem; }
dt { color: var(--dim); font-size: .8rem; } dd { margin: 0; font-size: 1.15rem; font-weight: 600; }
svg { width: 100%; height: auto; display: block; font: 12px system-ui, "DejaVu Sans", sans-serif; }
svg text { fill: var(--fg); } svg .dim { fill: var(--dim); } svg .grid { stroke: var(--grid); }
svg .axis { stroke: var(--line); } svg .roof { stroke: var(--dim); stroke-width: 1.5; fill: none; }
svg .halo { paint-order: stroke; stroke: var(--bg); stroke-width: 3px; stroke-linejoin: round; }
.compute { --c: var(--compute); } .L1 { --c: var(--l1); } .L2 { --c: var(--l2); } .L3 { --c: var(--l3); }
.DRAM { --c: var(--dram); } .first { --c: var(--bar); } .second { --c: var(--other); }
svg .mark { fill: var(--c); fill-opacity: .72; stroke: var(--c); } svg .open { fill: none; stroke: var(--c); }
svg .bar { fill: var(--c); } svg .ghost { fill: var(--fg); } svg .scratch { fill: var(--dim); fill-opacity: .3; }
svg .place { fill: var(--c); fill-opacity: .5; stroke: var(--bg); stroke-width: .5; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; background: var(--c);
  margin: 0 .3em 0 .5em; } .key { white-space: nowrap; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: .82rem; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .55rem; text-align: right; border-bottom: 1px solid var(--grid); vertical-align: top;
  white-space: nowrap; }
thead th { position: sticky; top: 0; background: var(--panel); border-bottom: 1px solid var(--line); }
th.left, td.left { text-align: left; } tr.words td { text-align: left; white-space: normal;
  color: var(--dim); padding-top: 0; } table.layers tbody tr:first-child td { border-bottom: 0; padding-bottom: 0; }
@media (min-width: 1240px) { .broad { margin: 0 calc(50% - 50vw + 2rem); } }
th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
td.no { color: var(--dim); } td.taken { font-weight: 700; } td.better { color: var(--dram); font-weight: 700; }
ul { padding-left: 1.2rem; } li { margin: .35rem 0; max-width: 95ch; }
@media print { @page { size: A4 landscape; margin: 12mm; }
  :root { color-scheme: light; --bg: #ffffff; --fg: #000000; --dim: #444444; --line: #bbbbbb; --panel: #f2f2f2;
    --compute: #2462c2; --l1: #12808a; --l2: #2d8a3e; --l3: #b26a00; --dram: #c43a2b; --bar: #2462c2;
    --other: #c26a1a; --grid: #dddddd; }
  body { max-width: none; padding: 0; font-size: 10pt; } .wide { overflow: visible; border: 0; } .broad { margin: 0; }
  table { font-size: 6.6pt; } thead { display: table-header-group; }
  thead th { position: static; } th, td { padding: .15rem .3rem; }
  tr, table.layers tbody, figure, dl div { break-inside: avoid; }
  svg { max-height: 150mm; } svg[aria-label^="roofline"] { max-height: 88mm; }
  h2, h3, section > p { break-after: avoid; } th button { display: contents; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""

SCRIPT = """
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") !== "descending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = body => {
      const cell = body.rows[0].cells[column];
      return cell.dataset.v ?? cell.textContent;
    };
    const numeric = head.dataset.kind === "number";
    const order = (a, b) => {
      const x = key(a), y = key(b);
      if (numeric && (x === "") !== (y === "")) return x === "" ? 1 : -1;
      const less = numeric ? x - y : x.localeCompare(y);
      return down ? -less : less;
    };
    table.append(...[...table.tBodies].sort(order));
  }));
}
"""
