"""One promise in a process of its own, so that a crash or a hang is a figure like any other.

    python -m pyconv.trust.worker '{"runs": "MODULE:FUNCTION", "seed": 1, "seconds": 5, "slot": "/path"}'

prints lines of JSON: progress, and at the end kept, broken or skipped. `slot` is a file of eight bytes, which
hold the number of the case that runs.
"""

from __future__ import annotations

import importlib
import json
import mmap
import sys
from typing import Any

from pyconv.trust.compare import Broken
from pyconv.trust.work import Skipped, Work


def serve(task: dict[str, Any]) -> None:
    """Runs the promise and says how it went."""
    with open(task["slot"], "r+b") as file:
        slot = mmap.mmap(file.fileno(), 8)
    work = Work(task["seed"], task["seconds"], limit=task.get("limit"), only=task.get("only"), slot=slot)
    module, name = task["runs"].split(":")
    try:
        getattr(importlib.import_module(module), name)(work)
    except Broken as broken:
        work.say(broken=str(broken), figures=work.figures)
    except Skipped as skipped:
        work.say(skipped=str(skipped), figures=work.figures)
    else:
        work.say(kept=True, figures=work.figures)


def main() -> None:
    serve(json.loads(sys.argv[1]))


if __name__ == "__main__":
    main()
