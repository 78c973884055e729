"""One workload in its own process: `python -m benchmarks.one restart --size quick`; prints each figure as JSON.

Laws: what is measured runs as on a user's machine, where Python keeps what it has compiled.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
from pathlib import Path

#: without compiled files every start compiles hundreds of sources, half of what it takes; a test run may ask for that
UNUSUAL = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


def main() -> None:
    """Measure one module's workload."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module")
    parser.add_argument("--size", choices=["full", "quick", "tiny"], default="full")
    parser.add_argument("--keep", type=Path, help="make slow preparations once and keep them in this directory")
    given = parser.parse_args()
    for name in UNUSUAL:
        os.environ.pop(name, None)
    module = importlib.import_module(f"benchmarks.{given.module}")
    takes_keep = "keep" in inspect.signature(module.measure).parameters
    for figure in module.measure(given.size, **({"keep": given.keep} if takes_keep else {})):
        print(json.dumps(figure.to_data()), flush=True)


if __name__ == "__main__":
    main()
