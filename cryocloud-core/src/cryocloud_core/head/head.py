"""The head of a run: events in, journal, commands out, on one asyncio loop.

Laws: an event is applied, then committed, then its commands are performed, never in another order; one bad
pebble never stops the run; whoever draws or steers the run uses this class and nothing behind it.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.head.settings import ConfigSource, IsOurs, Listener, LoadInput, RunSettings
from cryocloud_core.head.view import RunView
from cryocloud_core.sdk.scheduler import Scheduler


class Head:
    """One run of one or more workflows over one state directory.

    `workflows` are linked workflows with the absolute path of the file each came from; `options` maps a
    workflow's name to its option values; `hooks` is the plugin manager's hook relay (`manager.hook`);
    `listener` is called on the loop with every log record and every record observers get: it must be quick.
    """

    def __init__(
        self,
        workflows: Sequence[tuple[Workflow, Path]],
        settings: RunSettings,
        scheduler: Scheduler,
        *,
        config: ConfigSource,
        options: Mapping[str, Mapping[str, Any]],
        load_input: LoadInput,
        is_ours: IsOurs,
        hooks: Any = None,
        listener: Listener | None = None,
    ) -> None:
        raise NotImplementedError

    async def run(self) -> int:
        """Run until all inputs have returned and all pebbles are closed, or until told to stop; return the exit code.

        Raises StartError (LockedError, StateError, ResumeRefused) before anything was started. Installs
        handlers for SIGINT and SIGTERM while it runs, if called on the main thread.
        """
        raise NotImplementedError

    def view(self) -> RunView:
        """Return the picture of the run at this moment; may be called from any thread."""
        raise NotImplementedError

    def suspend(self, signum: signal.Signals = signal.SIGINT) -> None:
        """First call: stop inputs, hand nothing out, wait for running tasks. Second call: stop at once."""
        raise NotImplementedError

    def cancel(self, pebble: int | None = None) -> int:
        """Give up one open pebble, or all; return how many were."""
        raise NotImplementedError

    @property
    def opening(self) -> str:
        """The first line to tell: which run goes on with how many pebbles; empty for a new run."""
        raise NotImplementedError

    @property
    def closing(self) -> tuple[str, ...]:
        """The last lines to tell: one per failed node, and what waits for the next start."""
        raise NotImplementedError
