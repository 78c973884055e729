"""The flags of `run` and of its kin, each once: how it is written and what its help says.

Laws: declarations only; a flag whose feature does not exist yet is declared, hidden and refused, so that it is
never taken for an option of the workflow and never ignored.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer


class Resume(StrEnum):
    """What to do with unfinished pebbles of a changed workflow."""

    CONTINUE = "continue"
    DROP = "drop"


class Level(StrEnum):
    """The least serious log records that are kept."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


def _option(flag: str, *more: str, shown: str | None = None, told: str = "", **rest: object) -> object:
    """Return a typer option; a shorthand that keeps the table below readable."""
    return typer.Option(flag, *more, metavar=shown, help=told, show_default=False, **rest)  # type: ignore[call-overload]


Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Workflow files; several share one run.")]

Scheduler = Annotated[
    str, _option("--scheduler", shown="NAME", told="Where tasks run; the default, local: worker processes here.")
]
Standalone = Annotated[bool, _option("--standalone", told="The same as --scheduler local.")]
Workers = Annotated[
    int | None, _option("--workers", "--threads", shown="N", min=1, told="Normal workers; else one per CPU.")
]
AdminWorkers = Annotated[
    int | None, _option("--admin-workers", shown="N", min=1, told="Admin workers at most; else 5.")
]
Gpus = Annotated[int | None, _option("--gpus", shown="N", min=0, told="GPU workers; else one per device.")]
Name = Annotated[str | None, _option("--name", shown="NAME", told="Run under this name instead of the workflow's.")]
Node = Annotated[str | None, _option("--node", shown="MACHINE", told="The machine of nodes that name none.")]
Profile = Annotated[
    str | None, _option("--profile", shown="NAME", told="Read cryocloud.NAME.toml before the other files.")
]
StateDir = Annotated[
    Path | None, _option("--state-dir", shown="DIR", told="Where the journal lives; else by the run's name.")
]
Strict = Annotated[bool, _option("--strict", told="Refuse a workflow with unknown or misspelt keys.")]
MaxTaskTime = Annotated[
    float | None, _option("--max-task-time", shown="SECONDS", min=0, told="Time limit of tasks whose node has none.")
]
Grace = Annotated[
    float, _option("--grace", shown="SECONDS", min=0, told="How long running tasks may go on at a stop; 30.")
]
Once = Annotated[bool, _option("--once", told="Take what is there, then end: also for inputs that watch for ever.")]
ModulePaths = Annotated[
    list[str] | None,
    _option("--module-paths", shown="DIR", told="Search modules here too; repeat it, or separate with a colon."),
]
Fresh = Annotated[bool, _option("--fresh", told="Abandon unfinished pebbles of an earlier run and start anew.")]
ResumeHow = Annotated[
    Resume | None,
    _option("--resume", told="Unfinished pebbles of a changed workflow: go on with the new one, or drop them."),
]
ForceInputs = Annotated[bool, _option("--force-inputs", told="Forget what inputs have seen: all of it arrives again.")]
ResetCounters = Annotated[bool, _option("--reset-counters", told="Count completed and failed tasks from zero.")]
LogLevel = Annotated[
    Level, _option("--loglevel", case_sensitive=False, told="Keep log records from this level on; INFO.")
]
Debug = Annotated[bool, _option("--debug", told="Keep DEBUG records, and show where an error comes from.")]
ImportModules = Annotated[
    bool, _option("--import-modules", told="Import modules whose ccmodule is built by code: that code runs here.")
]
Json = Annotated[bool, _option("--json", told="Print one JSON object a line, for machines.")]
MetricsPort = Annotated[
    int | None,
    _option("--metrics-port", shown="PORT", min=0, max=65535, told="Serve /metrics for Prometheus here, on loopback."),
]

Follow = Annotated[bool, _option("-f", "--follow", told="Go on with what comes, until interrupted.")]
Since = Annotated[
    str | None, _option("--since", shown="TIME", told="Not before: 10m, 2h, 3d ago, 12:30, 2026-01-31T12:00.")
]
ReadStateDir = Annotated[
    Path | None, _option("--state-dir", shown="DIR", told="Of the run that was given this state directory.")
]

Wait = Annotated[bool, _option("--wait", told="Return when the run has ended.")]
WaitTimeout = Annotated[
    float | None, _option("--timeout", shown="SECONDS", min=0, told="Wait at most this long; implies --wait.")
]

Output = Annotated[Path | None, _option("-o", "--output", shown="PATH", told="Write to this file; else to stdout.")]

Address = Annotated[str | None, _option("--address", shown="URL", hidden=True)]
Kubernetes = Annotated[bool, _option("--kubernetes", hidden=True)]
Estimate = Annotated[bool, _option("--estimate", hidden=True)]
NoCache = Annotated[bool, _option("--nocache", told="Use no earlier result again, and keep none.")]
AllowStubCode = Annotated[bool, _option("--allow-stub-code", hidden=True)]

#: Parameter -> (flag, what is missing): refused when given.
NOT_YET: Final = {
    "address": ("--address", "schedulers of other machines"),
    "kubernetes": ("--kubernetes", "the kubernetes scheduler"),
    "estimate": ("--estimate", "estimates from past runs"),
    "allow_stub_code": ("--allow-stub-code", "serviceURL"),
}
