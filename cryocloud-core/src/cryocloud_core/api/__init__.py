"""Load, check and run workflows from scripts and notebooks; the command line uses the same functions.

Laws: one way through the code, whoever calls; nothing is printed here, a Watcher is told; a workflow with a
problem is never run, and every problem of every file is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cryocloud_core.api.reading import Reading, StrPath, read, sound

if TYPE_CHECKING:
    from cryocloud_core.api.running import Watcher
    from cryocloud_core.graph.problems import Problem
    from cryocloud_core.graph.workflow import Workflow
    from cryocloud_core.head.settings import RunSettings
    from cryocloud_core.sdk.scheduler import Scheduler

__all__ = ["Reading", "check", "load", "run"]

_AS_IS = Reading()


def check(path: StrPath, options: Mapping[str, Any] | None = None, reading: Reading = _AS_IS) -> tuple[Problem, ...]:
    """Return every problem of the workflow, warnings too, in document order.

    Raises:
        DocumentError: the file cannot be read.
        OptionError: `options` holds a name that the workflow does not declare, or an unreadable value.
        ConfigError: a configuration file is wrong.
    """
    return read(path, options or {}, reading).linked.problems


def load(path: StrPath, options: Mapping[str, Any] | None = None, reading: Reading = _AS_IS) -> Workflow:
    """Return the linked workflow.

    Raises:
        DocumentError: the file cannot be read or has problems; `problems` holds all of them.
        OptionError, ConfigError: as for `check`.
    """
    return sound([read(path, options or {}, reading)])[0]


def run(
    paths: StrPath | Sequence[StrPath],
    options: Mapping[str, Any] | None = None,
    settings: RunSettings | None = None,
    *,
    reading: Reading = _AS_IS,
    scheduler: str | Scheduler = "local",
    name: str | None = None,
    watcher: Watcher | None = None,
) -> int:
    """Run workflows until they end or are told to stop, and return the exit code: 0 when every pebble succeeded.

    `options` are given to each workflow that declares them; `scheduler` is one by its name, or one that was made.
    Works inside a running event loop too (a notebook): the run gets a thread and a loop of its own, and an interrupt
    suspends it.

    Raises:
        DocumentError: a file cannot be read or has problems; `problems` holds all of them.
        OptionError, ConfigError: an option or the configuration is wrong.
        StartError: the run cannot start, for example because another one owns the state directory.
    """
    from cryocloud_core.api.running import Run

    several = [paths] if isinstance(paths, str) or hasattr(paths, "__fspath__") else list(paths)
    prepared = Run.prepare(
        several, options or {}, reading, settings=settings, scheduler=scheduler, name=name, watcher=watcher
    )
    return prepared.run()
