"""The reference page of the status, drawn from the tables that what is published is made by.

Laws: a page is a function of the code alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cryocloud_core.cli.reference import NOTE
from cryocloud_core.head.metrics import METRICS
from cryocloud_core.head.publishing import HEAD, NODE, WORKER
from cryocloud_core.worker.transferring import TRANSFER

MACHINE: Final[Mapping[str, str]] = {
    "state": "`Running` or `Stopped`",
    "cpu.user`, `cpu.nice`, `cpu.system`, `cpu.idle`, `cpu.iowait": "percent of one processor, over all of them",
    "cpu.count`, `cpu.count_physical": "processors",
    "memory.total`, `memory.available`, `memory.active": "bytes",
    "DISK.total`, `DISK.used`, `DISK.free": "bytes",
    "DISK.percent": "how full the disk is",
}


def status_page() -> str:
    """Return the page of what a head publishes."""
    return f"""\
# Status

{NOTE}

A head publishes what it and its workers are in as *parameters* of *channels*: `Wind:geocode.pending` is the parameter
`geocode.pending` of the channel `Wind`. `cryocloud status` shows them, restrictions read them, `--metrics-port` serves
them. A value is stored when it changes, at most twice a second, in `status.db` of the state directory; every change is
kept until the file is full (64 MiB; the one before is kept too), so that `cryocloud status --series` has a past.
A restriction on a counter of its own head reads it as it is at that moment. Two things differ then from what is shown:
a task that was handed to a worker and has not begun counts as `processing` already, and a task that only this
restriction holds back does not count as `pending`.

`cryocloud status CHANNEL:PARAMETER=VALUE` sets a value of your own, which restrictions can read; what a head publishes
itself it sets right again. Secrets are covered (•••) where modules publish them.

## `WORKFLOW`

The workflow's name, spaces as underscores. For each NODE, inputs too:

{_table(NODE, "NODE.")}

`--reset-counters` begins `failed` and `completed` at zero.

## `WORKFLOW.HeadNode`

{_table(HEAD)}

## `Worker-MACHINE_N`, `AdminWorker-MACHINE`, `GpuWorker-MACHINE_N`

{_table({**WORKER, **TRANSFER})}

Beside these every parameter that a module sets with `worker.status["name"] = value`.

## `NodeController.MACHINE`

Measured every 5 seconds; a figure that was not measured anew for 30 seconds is null. DISK is the last part of the mount
point, `root` for `/`; of two with the same last part the first by path has the name.

{_table(MACHINE)}

{_metrics_section()}"""


def _table(rows: Mapping[str, str], front: str = "") -> str:
    return "\n".join(
        ["| parameter | value |", "|---|---|", *(f"| `{front}{name}` | {told} |" for name, told in rows.items())]
    )


def _metrics_section() -> str:
    return f"""\
## Metrics

`cryocloud run --metrics-port PORT` serves them at `http://127.0.0.1:PORT/metrics` in the text format of Prometheus.

| metric | type | meaning |
|---|---|---|
{_metrics()}
"""


def _metrics() -> str:
    return "\n".join(f"| `{name}` | {kind} | {told} |" for name, (kind, told) in METRICS.items())
