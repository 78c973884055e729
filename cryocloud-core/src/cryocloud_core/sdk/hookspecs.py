"""Every hook a plugin may implement, on one page.

Laws: hooks return light references and never import what they name; a hook that this page does not have,
a wrong argument or a name taken twice is refused at start, naming both parties. `API_VERSION` grows when
a hook is added (minor) or changed (major); a plugin may say `cryocloud_api = "1"` to insist on a major.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from cryocloud_core.sdk.observed import PebbleSeen, RunSeen, TaskSeen
    from cryocloud_core.sdk.offers import ModuleOffer, SchedulerOffer, TransferOffer

API_VERSION = "1.0"
PROJECT = "cryocloud"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_inputs() -> Sequence[ModuleOffer]:  # type: ignore[empty-body]
    """Offer input modules: what creates pebbles. Since 1.0.

    When: once in a process, by the registry, as soon as a workflow or a listing needs a module.

    Returns: a list of ModuleOffer, each a name for workflows and the Python module that has `start`. Without
    `spec=` its `ccmodule` is read from the source, which is not imported.

    ```python
    from cryocloud_core.sdk.hookspecs import hookimpl
    from cryocloud_core.sdk.offers import ModuleOffer


    @hookimpl
    def register_inputs():
        return [ModuleOffer("mailbox", "cc_mailbox.mailbox")]
    ```
    """


@hookspec
def register_processors() -> Sequence[ModuleOffer]:  # type: ignore[empty-body]
    """Offer processor modules: what a pebble passes through. Since 1.0.

    When: once in a process, by the registry, as soon as a workflow, a listing or `import NAME` in a module
    that is a single file needs one.

    Returns: a list of ModuleOffer, each a name for workflows and the Python module that has `process_task`. It is
    imported by the worker that runs it and by nobody else, so it may need what the head does not have.

    ```python
    from cryocloud_core.sdk.hookspecs import hookimpl
    from cryocloud_core.sdk.offers import ModuleOffer

    cryocloud_api = "1"


    @hookimpl
    def register_processors():
        return [
            ModuleOffer("wind", "cc_ocean.wind"),
            ModuleOffer("wave", "cc_ocean.wave", spec={"inputs": {"src": "Product"}, "outputs": {"dst": "Path"}}),
        ]
    ```
    """


@hookspec
def register_transfers() -> Sequence[TransferOffer]:  # type: ignore[empty-body]
    """Offer transfers: how bytes come from and go to one kind of remote place. Since 1.0.

    When: once in a run, by the registry; workers are told with their first words, and import what is named when they
    meet such a URL.

    Returns: a list of TransferOffer, each with the URL schemes it serves, a subclass of `sdk.transfer.Transfer` and the
    distributions it needs. A scheme has one owner. Settings stand below the name in capitals (here `SWIFT`). How to
    write and test one: docs/howto/write-a-transfer.md.

    ```python
    from cryocloud_core.sdk.hookspecs import hookimpl
    from cryocloud_core.sdk.offers import TransferOffer


    @hookimpl
    def register_transfers():
        return [TransferOffer("swift", ("swift", "swifts"), "cc_swift.transfer:SwiftTransfer", needs=("swiftclient",))]
    ```
    """


@hookspec
def register_schedulers() -> Sequence[SchedulerOffer]:  # type: ignore[empty-body]
    """Offer schedulers: where tasks run. Since 1.0.

    When: once, by the registry, when a run starts.

    Returns: a list of SchedulerOffer, each the name that `--scheduler` takes and a subclass of
    `sdk.scheduler.Scheduler` that is made without arguments.

    ```python
    from cryocloud_core.sdk.hookspecs import hookimpl
    from cryocloud_core.sdk.offers import SchedulerOffer


    @hookimpl
    def register_schedulers():
        return [SchedulerOffer("slurm", "cc_slurm.scheduler:SlurmScheduler")]
    ```
    """


@hookspec
def register_commands() -> Sequence[str]:  # type: ignore[empty-body]
    """Offer typer apps as `package.module:app` texts. Since 1.0.

    When: by the command line, for a command that is not its own.

    Returns: a list of texts. The command is the name that the app was made with, else the last part of its module's
    name. An app is imported when its command may be meant.

    ```python
    from cryocloud_core.sdk.hookspecs import hookimpl


    @hookimpl
    def register_commands():
        return ["cc_ocean.cli:app"]
    ```
    """


@hookspec
def run_started(run: RunSeen) -> None:
    """Observe: a run started. Since 1.0.

    When: on the observers' thread, before everything else that this run tells. An observer that keeps raising is
    logged and switched off.

    Args:
        run: the workflow's name, the state directory and the time.

    ```python
    from cryocloud_core.sdk.hookspecs import hookimpl


    @hookimpl
    def run_started(run):
        print(f"{run.workflow} started in {run.state_dir}")
    ```
    """


@hookspec
def run_stopped(run: RunSeen) -> None:
    """Observe: a run stopped. Since 1.0.

    When: on the observers' thread, after everything else that this run tells. A run that was killed does not tell it.

    Args:
        run: as for `run_started`, with `run.exit_code` known.

    ```python
    from cryocloud_core.sdk.hookspecs import hookimpl


    @hookimpl
    def run_stopped(run):
        if run.exit_code:
            print(f"{run.workflow} ended with {run.exit_code}")
    ```
    """


@hookspec
def pebble_arrived(pebble: PebbleSeen) -> None:
    """Observe: a pebble arrived and is on disk. Since 1.0.

    When: on the observers' thread, soon after the commit; arrivals come in the order of their ids.

    Args:
        pebble: its id, workflow, input node and the time; `result` is empty.

    ```python
    from cryocloud_core.sdk.hookspecs import hookimpl

    arrived = {}


    @hookimpl
    def pebble_arrived(pebble):
        arrived[pebble.workflow, pebble.pebble] = pebble.at
    ```
    """


@hookspec
def task_ended(task: TaskSeen) -> None:
    """Observe: a task ended and its end is on disk. Since 1.0.

    When: on the observers' thread, soon after the commit; each attempt at a node tells once.

    Args:
        task: its id, pebble, node, outcome, worker, and what it used in seconds and bytes.

    ```python
    from cryocloud_core.sdk.hookspecs import hookimpl


    @hookimpl
    def task_ended(task):
        if task.outcome != "success":
            print(f"{task.task} on {task.worker}: {task.outcome} after {task.runtime_s:.1f} s: {task.error}")
    ```
    """


@hookspec
def pebble_finished(pebble: PebbleSeen) -> None:
    """Observe: a pebble was closed. Since 1.0.

    When: on the observers' thread, after its clean-up was done and the end is on disk; once for each pebble.

    Args:
        pebble: as for `pebble_arrived`, with `result` (`success`, `error`, `timeout` or `cancelled`) and `error`.

    ```python
    from cryocloud_core.sdk.hookspecs import hookimpl


    @hookimpl
    def pebble_finished(pebble):
        print(f"pebble {pebble.pebble} of {pebble.workflow}: {pebble.result}")
    ```
    """
