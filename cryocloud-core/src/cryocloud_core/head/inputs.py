"""Running input modules: each `start` in a thread of its own, what it returned or raised told to the head.

Laws: an input never blocks the loop and never takes the run down with it unsaid; an input that ends by
itself counts as done only after everything it reported is durable.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from attrs import define, field

from cryocloud_core.engine.events import Context
from cryocloud_core.graph.refs import Argument, ConfigRef, Literal, OptionRef
from cryocloud_core.graph.workflow import Node
from cryocloud_core.head.arrivals import Handler
from cryocloud_core.head.settings import LoadInput
from cryocloud_core.secrets import reveal

#: an input that raises before it reported anything and within this time could not start at all
START_S = 10.0


@define(eq=False)
class RunningInput:
    """One input node of a run."""

    workflow: str
    node: Node
    handler: Handler
    args: dict[str, Any]
    #: ends by itself; a permanent one only with `--once`
    ends: bool
    thread: threading.Thread | None = None
    returned: bool = False


@define(eq=False)
class Inputs:
    """The inputs of a head. `returned` and `raised` are called on an input's thread."""

    load: LoadInput
    returned: Callable[[RunningInput], None]
    raised: Callable[[RunningInput, BaseException, bool], None]
    stop: threading.Event = field(factory=threading.Event)
    running: list[RunningInput] = field(factory=list)

    def start(self, each: RunningInput) -> None:
        """Start an input's thread."""
        self.running.append(each)
        name = f"input {each.node.name}"
        each.thread = threading.Thread(target=self._run, args=(each,), name=name, daemon=True)
        each.thread.start()

    def _run(self, each: RunningInput) -> None:
        began = time.monotonic()
        try:
            module = self.load(each.node.code)
            module.start(each.handler, {**each.args, "__name__": each.node.name}, self.stop)
        except BaseException as error:  # noqa: BLE001 - also SystemExit: a module's end is not the head's
            if not self.stop.is_set():
                at_start = each.handler.added == 0 and time.monotonic() - began < START_S
                self.raised(each, error, at_start)
                return
        self.returned(each)

    def wait(self, seconds: float) -> list[str]:
        """Wait for all threads to end, and return the names of inputs that do not."""
        until = time.monotonic() + seconds
        for each in self.running:
            if each.thread is not None:
                each.thread.join(max(0.0, until - time.monotonic()))
        return [each.node.name for each in self.running if each.thread is not None and each.thread.is_alive()]


def input_args(node: Node, context: Context) -> dict[str, Any]:
    """Return an input's arguments; what yields nothing is the default or null. Raises ConfigError for a lost secret."""
    return {name: _value(argument, context) for name, argument in node.args.items()}


def _value(argument: Argument, context: Context) -> Any:
    match argument.source:
        case Literal(value):
            found = value
        case OptionRef(name):
            found = reveal(context.options.get(name))
        case ConfigRef(name):
            found = reveal(context.config.get(name))
        case _:
            found = None
    return argument.default if found is None else found
