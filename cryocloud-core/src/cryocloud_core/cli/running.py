"""What `cryocloud run` does: flags to settings, a screen for where stdout goes, then the run of `api`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any

from cryocloud_core.cli.flags import NOT_YET
from cryocloud_core.cli.workflow_options import TYPED
from cryocloud_core.errors import UsageError

if TYPE_CHECKING:
    from cryocloud_core.api.reading import Reading
    from cryocloud_core.api.running import Watcher
    from cryocloud_core.head.settings import RunSettings
    from cryocloud_core.sdk.scheduler import Scheduler

#: More active tasks than this are counted, not shown.
SLOTS_AT_MOST = 12


def start(flags: Mapping[str, Any]) -> int:
    """Run and return the exit code; `flags` are the parameters of the command by name."""
    refuse_what_is_not_built(flags)
    if flags["standalone"] and flags["scheduler"] != "local":
        raise UsageError(f"--standalone means --scheduler local, got --scheduler {flags['scheduler']}")
    with scheduler_of(flags) as scheduler:
        from cryocloud_core.api import run

        watcher = screen_of(flags)
        # What an input module prints must not stand between JSON lines.
        with redirect_stdout(sys.stderr) if flags["json"] else nullcontext():
            return run(
                flags["files"],
                flags["ctx"].meta[TYPED],
                settings_of(flags),
                reading=reading_of(flags),
                scheduler=scheduler,
                name=flags["name"],
                watcher=watcher,
            )


@contextmanager
def scheduler_of(flags: Mapping[str, Any]) -> Iterator[str | Scheduler]:
    """Give the scheduler. The local one's keeper is started before the head is loaded: it loads as long as that."""
    from cryocloud_core.worker.ahead import KeeperProcess

    if flags["scheduler"] != "local":
        yield flags["scheduler"]
        return
    ahead = KeeperProcess()
    try:
        from cryocloud_core.schedulers.local import LocalScheduler

        yield LocalScheduler(ahead)
    finally:
        ahead.end_unless_taken()


def refuse_what_is_not_built(flags: Mapping[str, Any]) -> None:
    """Raise UsageError for a flag whose feature does not exist yet."""
    for parameter, (flag, feature) in NOT_YET.items():
        if flags[parameter]:
            raise UsageError(f"{flag} is not supported yet: {feature} is not built", remedy="leave it out")


def reading_of(flags: Mapping[str, Any]) -> Reading:
    """Return how workflow files are to be read."""
    from cryocloud_core.api.reading import Reading

    paths = [path for given in flags["module_paths"] or () for path in given.split(os.pathsep) if path]
    return Reading(flags["strict"], tuple(paths), flags["profile"], flags["import_modules"])


def settings_of(flags: Mapping[str, Any]) -> RunSettings:
    """Return the settings of the run."""
    from cryocloud_core.head.settings import RunSettings

    same = (
        "state_dir once fresh workers admin_workers gpus node force_inputs reset_counters nocache metrics_port".split()  # noqa: SIM905
    )
    return RunSettings(
        **{name: flags[name] for name in same},
        resume=flags["resume"] and flags["resume"].value,
        grace_s=flags["grace"],
        max_task_time_s=flags["max_task_time"],
        log_level="DEBUG" if flags["debug"] else flags["loglevel"].value,
    )


def screen_of(flags: Mapping[str, Any]) -> Watcher:
    """Return who draws the run: JSON lines on demand, a live picture on a terminal, plain lines elsewhere."""
    if flags["json"]:
        from cryocloud_core.cli.json_lines import JsonScreen

        return JsonScreen(sys.stdout)
    if is_drawable():
        from rich.console import Console

        from cryocloud_core.cli.live import LiveScreen

        # An exported COLUMNS is a shell's memory of another size; the terminal itself knows better.
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        slots = (flags["workers"] or os.cpu_count() or 1) + 1
        return LiveScreen(Console(_environ=environment), min(slots, SLOTS_AT_MOST))
    from cryocloud_core.cli.lines import LineScreen

    return LineScreen(sys.stdout)


def is_drawable() -> bool:
    """Tell whether stdout is a terminal that can move its cursor and shows more than ASCII."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and encoding == "utf8"
