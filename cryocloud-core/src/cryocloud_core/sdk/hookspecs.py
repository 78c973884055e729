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
    """Offer input modules. Called when a workflow or a listing needs them, by the registry. Since 1.0."""


@hookspec
def register_processors() -> Sequence[ModuleOffer]:  # type: ignore[empty-body]
    """Offer processor modules. Called when a workflow or a listing needs them, by the registry. Since 1.0."""


@hookspec
def register_transfers() -> Sequence[TransferOffer]:  # type: ignore[empty-body]
    """Offer transfers by URL scheme. Called by a worker that meets a URL, through the registry. Since 1.0."""


@hookspec
def register_schedulers() -> Sequence[SchedulerOffer]:  # type: ignore[empty-body]
    """Offer schedulers by name. Called once when a run starts, by the registry. Since 1.0."""


@hookspec
def register_commands() -> Sequence[str]:  # type: ignore[empty-body]
    """Offer typer apps as `package.module:app` texts. Called by the command line for unknown commands. Since 1.0."""


@hookspec
def run_started(run: RunSeen) -> None:
    """Observe: a run started. Called on the observers' thread, in order with the others. Since 1.0."""


@hookspec
def run_stopped(run: RunSeen) -> None:
    """Observe: a run stopped; `run.exit_code` is known. Called on the observers' thread. Since 1.0."""


@hookspec
def pebble_arrived(pebble: PebbleSeen) -> None:
    """Observe: a pebble was accepted; its arrival is on disk. Called on the observers' thread. Since 1.0."""


@hookspec
def task_ended(task: TaskSeen) -> None:
    """Observe: a task ended and its end is on disk. Called on the observers' thread. Since 1.0."""


@hookspec
def pebble_finished(pebble: PebbleSeen) -> None:
    """Observe: a pebble was closed; `pebble.result` tells how. Called on the observers' thread. Since 1.0."""
