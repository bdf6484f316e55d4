"""What was decided for every layer of a compiled network, and why, as data that can be stored.

`explain` turns `Model.describe` into one dict of plain Python values, stable from version to version: keys
are added, none change their meaning. `pyconv explain` prints it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from statistics import median
from typing import Any

from pyconv import _core
from pyconv.model import Model
from pyconv.receptive_field import Field, receptive_fields

_RESIDUAL = {"conv": 3, "inverted_residual": 7}
"""Which input is added to the sum."""
VERSION = 1
"""Of the dict; grows when a key changes its meaning."""


def explain(
    model: Model, *, profile: bool = False, rounds: int = 20, peak_gflops: float | None = None
) -> dict[str, Any]:
    """Layer by layer: sizes, cost, receptive field, algorithm, the ones not taken, and memory.

    Args:
        model: what `pyconv.compile` or `pyconv.load` returned.
        profile: also run it on zeros and add seconds and GFLOP/s to each layer.
        rounds: of that.
        peak_gflops: what this machine reaches with the model's threads; layers then have their share.

    Returns:
        A dict of numbers, strings, lists and dicts:

        - ``layers``: one for each step, in order: ``name``, ``op``, ``absorbed`` (nodes fused into it),
          ``residual`` (whether it adds another tensor), ``activation``,
          ``output`` (name, shape, dtype, layout), ``parameters``, ``macs``, ``bytes`` (``read`` and
          ``written`` of activations, ``weights`` as packed), ``receptive_field`` (``size`` and ``jump``
          in pixels by axis of the picture; None where there is none), ``algorithm``, ``kernels``,
          ``threads``, ``problem``, ``memory`` (space, offset, bytes, first and last step that use it),
          ``workspace`` (offset, bytes), ``candidates`` and, with ``profile``, ``profile``.
        - ``rewrites``: the fusions made.
        - ``refused``: why algorithms were refused, and ``dearer``: how much more the accepted ones would
          cost, both gathered over the layers.
        - ``totals``: ``parameters``, ``macs``, ``arena_bytes``, ``activation_bytes`` (of all outputs of
          steps), ``workspace_bytes`` (the most that one step asks for), ``weight_bytes``.

    >>> import pyconv
    >>> from pyconv import nn
    >>> from pyconv.explain import explain
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
    >>> layer = explain(pyconv.compile(net, (1, 3, 16, 16)))["layers"][0]
    >>> layer["absorbed"], layer["macs"], layer["receptive_field"]["size"]
    (['1'], 55296, [3, 3])
    """
    described = model.describe()
    fields = _fields_by_name(model.graph)
    steps = model.profile(rounds=rounds) if profile else described["steps"]
    layers = [_layer(step, fields, peak_gflops) for step in steps]
    return {
        "version": VERSION,
        "inputs": [_tensor(model.graph, id) for id in model.graph.inputs],
        "outputs": [
            {**_tensor(model.graph, id), "name": name}
            for name, id in zip(model.graph.output_names, model.graph.outputs)
        ],
        "options": _plain(described["options"]),
        "isa": _core.config()["max_isa"] if model.options.max_isa is None else model.options.max_isa,
        "layers": layers,
        "rewrites": [{"pass": name, "text": text} for name, text in described["rewrites"]],
        "refused": refused(layers),
        "dearer": dearer(layers),
        "totals": _totals(model, layers),
    }


def _tensor(graph: _core.Graph, id: int) -> dict[str, Any]:
    name, dtype, shape, _ = graph.value(id)
    return {"name": name, "dtype": dtype, "shape": list(shape)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _fields_by_name(graph: _core.Graph) -> dict[str, Field]:
    """By the names of nodes, and for what the planner adds by those of values."""
    by_id = receptive_fields(graph)
    named = {graph.value(id)[0]: field for id, field in by_id.items()}
    for node in graph.nodes():
        if node["outputs"][0] in by_id:
            named[node["name"]] = by_id[node["outputs"][0]]
    return named


def _layer(step: dict[str, Any], fields: dict[str, Field], peak_gflops: float | None) -> dict[str, Any]:
    out, tensors = step["outputs"][0], [t for t in step["inputs"] if t is not None]
    constants = sum(t["bytes"] for t in tensors if t["space"] == "constant")
    field = fields.get(step["name"], fields.get(out["name"]))
    layer = {
        "name": step["name"],
        "op": step["op"],
        "absorbed": list(step["absorbed"]),
        "residual": any(
            t is not None for t in step["inputs"][_RESIDUAL.get(step["op"], len(step["inputs"])) :]
        ),
        "activation": step["attributes"].get("activation", "none"),
        "output": {key: _plain(out[key]) for key in ("name", "shape", "dtype", "layout")},
        "parameters": step["parameters"],
        "macs": step["macs"],
        "bytes": {
            "read": sum(t["bytes"] for t in tensors) - constants,
            "written": sum(t["bytes"] for t in step["outputs"]),
            "weights": step["packed_bytes"] + constants,
        },
        "receptive_field": field and {"size": _numbers(field.size), "jump": _numbers(field.jump)},
        "algorithm": step["algorithm"],
        "kernels": step["kernels"],
        "threads": step["threads"],
        "problem": step["problem"],
        "memory": {
            "space": out["space"],
            "offset": out["offset"],
            "bytes": out["bytes"],
            "pixel_stride": out["pixel_stride"],
            "first": out["lifetime"][0],
            "last": out["lifetime"][1],
        },
        "workspace": {"offset": step["workspace_offset"], "bytes": step["workspace_bytes"]},
        "candidates": _candidates(step),
    }
    if "seconds" in step:
        layer["profile"] = _profile(step, peak_gflops)
    return layer


def _numbers(values: Sequence[Fraction]) -> list[int | float]:
    return [int(v) if v.denominator == 1 else float(v) for v in values]


def _candidates(step: dict[str, Any]) -> list[dict[str, Any]]:
    """In the order of the list; a cost is relative to that of the algorithm taken."""
    chosen = next((c[3] for c in step["candidates"] if c[0] == step["algorithm"]), 0.0)
    return [
        {
            "algorithm": name,
            "accepted": accepted,
            "reason": reason,
            "cost": cost,
            "relative_cost": cost / chosen if accepted and chosen else None,
            "workspace_bytes": workspace,
        }
        for name, accepted, reason, cost, workspace in step["candidates"]
    ]


def _profile(step: dict[str, Any], peak_gflops: float | None) -> dict[str, float | None]:
    gflops = 2e-9 * step["macs"] / step["best"] if step["best"] and step["macs"] else 0.0
    share = gflops / peak_gflops if peak_gflops else None
    return {"seconds": step["seconds"], "best": step["best"], "gflops": gflops, "peak_share": share}


def refused(layers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Refusals of several algorithms in several layers that say the same but for the numbers, as one.

    ``reasons`` has each wording once, ``layers`` the names; those that concern most layers come first.
    """
    said: dict[tuple[str, str], dict[str, list[str]]] = {}
    for layer in layers:
        for candidate in layer["candidates"]:
            if not candidate["accepted"]:
                pattern = re.sub(r"\d+", "#", candidate["reason"])
                group = said.setdefault((candidate["algorithm"], pattern), {"reasons": [], "layers": []})
                group["layers"].append(layer["name"])
                if candidate["reason"] not in group["reasons"]:
                    group["reasons"].append(candidate["reason"])
    merged: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[str, Any]] = {}
    for (algorithm, _), group in said.items():
        key = tuple(group["reasons"]), tuple(group["layers"])
        if key in merged:
            merged[key]["algorithms"].append(algorithm)
        else:
            merged[key] = {"algorithms": [algorithm], **group}
    return sorted(merged.values(), key=lambda group: -len(group["layers"]))


def dearer(layers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Algorithms that were accepted and not taken: in how many layers, and at what relative cost."""
    costs: dict[str, list[float]] = {}
    for layer in layers:
        for candidate in layer["candidates"]:
            if candidate["relative_cost"] and candidate["algorithm"] != layer["algorithm"]:
                costs.setdefault(candidate["algorithm"], []).append(candidate["relative_cost"])
    found = [
        {"algorithm": name, "layers": len(c), "least": min(c), "median": median(c), "most": max(c)}
        for name, c in costs.items()
    ]
    return sorted(found, key=lambda group: float(group["median"]))


def _totals(model: Model, layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    images = model._core.images  # of which the layers show one
    totals: dict[str, Any] = {
        "parameters": sum(layer["parameters"] for layer in layers),
        "macs": images * sum(layer["macs"] for layer in layers),
        "images": images,
        "arena_bytes": model.arena_bytes,
        "activation_bytes": images
        * sum(layer["bytes"]["written"] for layer in layers if layer["op"] != "reorder"),
        "workspace_bytes": max((layer["workspace"]["bytes"] for layer in layers), default=0),
        "weight_bytes": model.weight_bytes,
    }
    if layers and "profile" in layers[0]:
        totals["seconds"] = images * sum(layer["profile"]["seconds"] for layer in layers)
    return totals
