"""The figures of a run for Prometheus: `/metrics` on a port of the head, in the text format 0.0.4.

Laws: read from the board and the counters when asked, never collected on the side; bound to loopback; loaded only
when a port was asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from cryocloud_core.errors import StartError
from cryocloud_core.head.board import StatusBoard, StatusValue
from cryocloud_core.head.publishing import HEAD, MOVING, NODE, WORKER

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
HOST: Final = "127.0.0.1"
_WORKER = re.compile(r"(?:Admin|Gpu)?Worker-(?P<machine>.+?)(?:_\d+)?")
_DISK = re.compile(r"(?P<disk>.+)\.(?P<figure>total|used|free|percent)")

#: metric -> (type, help)
METRICS: Final[Mapping[str, tuple[str, str]]] = {
    "cryocloud_node_pending": ("gauge", "Tasks of a node that wait."),
    "cryocloud_node_processing": ("gauge", "Tasks of a node that a worker is in."),
    "cryocloud_node_failed_total": ("counter", "Ends of a node in error or timeout."),
    "cryocloud_node_completed_total": ("counter", "Ends of a node in success."),
    "cryocloud_head_total_steps": ("gauge", "Nodes that a pebble can pass."),
    "cryocloud_head_avg_task_time_step_seconds": ("gauge", "Mean seconds of one task."),
    "cryocloud_head_avg_task_time_total_seconds": ("gauge", "Seconds of work on one pebble."),
    "cryocloud_head_eta_step_seconds": ("gauge", "Seconds until what waits and runs now is done."),
    "cryocloud_head_eta_total_seconds": ("gauge", "Seconds until all open pebbles are done."),
    "cryocloud_head_running": ("gauge", "1 while the head hands tasks out."),
    "cryocloud_worker_busy": ("gauge", "1 while a worker is in a task."),
    "cryocloud_worker_progress_percent": ("gauge", "How far a worker's task is."),
    "cryocloud_worker_errors_total": ("counter", "Tasks that failed at a worker."),
    "cryocloud_worker_last_processing_seconds": ("gauge", "Seconds that a worker's last task took."),
    "cryocloud_worker_value": ("gauge", "A number that a module set."),
    "cryocloud_machine_value": ("gauge", "A figure of a machine: processors in percent, memory in bytes."),
    "cryocloud_disk_bytes": ("gauge", "Bytes of a disk: total, used, free."),
    "cryocloud_disk_used_percent": ("gauge", "How full a disk is."),
}


@frozen
class Sample:
    """One line: a metric, its labels, its value."""

    metric: str
    labels: dict[str, str]
    value: float


def text_of(samples: Iterable[Sample]) -> str:
    """Return samples in the text format, each metric under its type; not a number is left out."""
    by_metric: dict[str, list[Sample]] = {}
    for sample in samples:
        if math.isfinite(sample.value):
            by_metric.setdefault(sample.metric, []).append(sample)
    lines = []
    for metric, (kind, told) in METRICS.items():
        if metric in by_metric:
            lines += [f"# HELP {metric} {told}", f"# TYPE {metric} {kind}", *map(_line, by_metric[metric])]
    return "".join(f"{line}\n" for line in lines)


def _line(sample: Sample) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
    value = sample.value
    return f"{sample.metric}{{{labels}}} {int(value) if value == int(value) else value!r}"


def _escaped(label: str) -> str:
    """Return a label's value as the format wants it, of any text."""
    kept = label.encode("utf-8", "backslashreplace").decode()
    return kept.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def samples_of(board: StatusBoard, workflows: Iterable[str]) -> Iterator[Sample]:
    """Yield what the board holds as numbers; `workflows` are the channels of this head's runs."""
    own = {name: name for name in workflows} | {f"{name}.HeadNode": name for name in workflows}
    for each in board:
        if each.channel in own:
            yield from _of_run(each, own[each.channel])
        elif each.channel.startswith("NodeController."):
            yield from _of_machine(each, each.channel.partition(".")[2])
        elif (worker := _WORKER.fullmatch(each.channel)) is not None:
            yield from _of_worker(each, worker["machine"])


def _of_run(each: StatusValue, workflow: str) -> Iterator[Sample]:
    if each.channel.endswith(".HeadNode") and each.channel != workflow:
        seconds = "_seconds" if each.parameter.startswith(("avg_", "eta_")) else ""
        if each.parameter == "state":
            yield Sample("cryocloud_head_running", {"workflow": workflow}, float(each.value == "Running"))
        elif each.parameter in HEAD and _is_number(each.value):
            yield Sample(f"cryocloud_head_{each.parameter}{seconds}", {"workflow": workflow}, each.value)
        return
    node, _, which = each.parameter.rpartition(".")
    if which in NODE and _is_number(each.value):
        total = "_total" if which in ("failed", "completed") else ""
        yield Sample(f"cryocloud_node_{which}{total}", {"workflow": workflow, "node": node}, each.value)


def _of_worker(each: StatusValue, machine: str) -> Iterator[Sample]:
    labels = {"worker": each.channel, "machine": machine}
    metrics = {
        "progress": "cryocloud_worker_progress_percent",
        "num_errors": "cryocloud_worker_errors_total",
        "last_processing_time": "cryocloud_worker_last_processing_seconds",
    }
    if each.parameter == "state":
        busy = each.value in ("Processing", *MOVING)
        yield Sample("cryocloud_worker_busy", labels, float(busy))
    elif not _is_number(each.value):
        return
    elif each.parameter in metrics:
        yield Sample(metrics[each.parameter], labels, each.value)
    elif each.parameter not in WORKER:
        yield Sample("cryocloud_worker_value", {**labels, "parameter": each.parameter}, each.value)


def _of_machine(each: StatusValue, machine: str) -> Iterator[Sample]:
    if not _is_number(each.value):
        return
    disk = None if each.parameter.startswith(("cpu.", "memory.")) else _DISK.fullmatch(each.parameter)
    if disk is None:
        yield Sample("cryocloud_machine_value", {"machine": machine, "parameter": each.parameter}, each.value)
    elif disk["figure"] == "percent":
        yield Sample("cryocloud_disk_used_percent", {"machine": machine, "disk": disk["disk"]}, each.value)
    else:
        labels = {"machine": machine, "disk": disk["disk"], "figure": disk["figure"]}
        yield Sample("cryocloud_disk_bytes", labels, each.value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class MetricsServer:
    """Serves `/metrics` on a port of loopback; 0 takes any free one, which `port` tells."""

    def __init__(self, board: StatusBoard, workflows: Iterable[str], port: int) -> None:
        self.port = port
        self._board = board
        self._workflows = tuple(workflows)
        self._runner: Any = None

    @property
    def url(self) -> str:
        """Where the metrics are."""
        return f"http://{HOST}:{self.port}/metrics"

    async def start(self) -> None:
        """Begin to serve. Raises StartError when the port cannot be had."""
        from aiohttp import web

        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, HOST, self.port)
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise StartError(
                f"port {self.port} cannot be had: {error.strerror}",
                subject="--metrics-port",
                remedy="give another port, or 0 for any free one",
            ) from error
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Serve no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, _request: Any) -> Any:
        from aiohttp import web

        text = text_of(samples_of(self._board, self._workflows))
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})
