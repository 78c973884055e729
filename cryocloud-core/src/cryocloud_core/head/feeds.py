"""The inputs of a run: which are started, with which handler, and what it means when one ends.

Laws: an input that had returned in this run is not started again; one that fails ends the run cleanly: the
other inputs stop, and pebbles that are there are finished, unless the run was not up yet.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

from attrs import evolve

from cryocloud_core.errors import StateError
from cryocloud_core.graph.workflow import Node, NodeKind
from cryocloud_core.head.arrivals import Door, Handler
from cryocloud_core.head.assemble import Parts
from cryocloud_core.head.batch import Arrival, Batch
from cryocloud_core.head.inbox import Inbox
from cryocloud_core.head.inputs import Inputs, RunningInput, input_args
from cryocloud_core.head.ledger import Held
from cryocloud_core.head.recovery import next_pebble
from cryocloud_core.head.resume import Given
from cryocloud_core.head.runs import Run
from cryocloud_core.head.settings import IsOurs, LoadInput
from cryocloud_core.head.telling import Telling
from cryocloud_core.url_secrets import covered


class Feeds:
    """All inputs of a run. `ended` is called on the loop when one returned or failed, True if the run was not up."""

    def __init__(
        self,
        parts: Parts,
        inbox: Inbox,
        telling: Telling,
        *,
        once: bool,
        load_input: LoadInput,
        is_ours: IsOurs,
        ended: Callable[[bool], None],
    ) -> None:
        #: the exit code that a failed input asks for
        self.failed = 0
        self._parts = parts
        self._telling = telling
        self._once = once
        self._ended = ended
        self._inputs = Inputs(load_input, self._returned, self._raised)
        journal = parts.journal
        self._door = Door(inbox.put_from_thread, itertools.count(next_pebble(journal.reader)), journal.path, is_ours)
        self._handlers: dict[tuple[str, str], Handler] = {}

    @property
    def done(self) -> bool:
        """True when no input will report anything more."""
        return bool(self.failed) or all(each.returned for each in self._inputs.running)

    def start(self, given: dict[str, Given], batch: Batch) -> None:
        """Start every input that has not returned in this run."""
        for name, each in given.items():
            run = self._parts.runs[name]
            context = self._parts.contexts.of_birth(name, batch)
            for node in each.workflow.nodes.values():
                if node.kind is NodeKind.INPUT and node.name not in run.returned:
                    ends = self._once or not node.permanent
                    handler = self._handler(run, node, ends=ends)
                    self._inputs.start(RunningInput(name, node, handler, input_args(node, context), ends))

    def durable(self, held: Held) -> None:
        """A pebble's arrival is on disk."""
        handler = self._handlers.get((held.workflow, held.input))
        if handler is not None:
            handler.durable(held.pebble)

    def again(self, arrival: Arrival) -> int:
        """Let a pebble arrive that no input made, and return its id; its own number is left open."""
        pebble = next(self._door.ids)
        self._door.put(evolve(arrival, pebble=pebble))
        return pebble

    def stop(self) -> None:
        """Tell all inputs to end."""
        self._inputs.stop.set()

    def wait(self, seconds: float) -> list[str]:
        """Wait for the inputs' threads and return the names of those that do not end; blocks."""
        return self._inputs.wait(seconds)

    def broken(self, error: StateError) -> None:
        """Nothing more is accepted."""
        for handler in self._handlers.values():
            handler.broken(error)

    def _handler(self, run: Run, node: Node, *, ends: bool) -> Handler:
        unknown = run.next_ordinal(self._parts.journal.reader, node.name)
        handler = self._handlers[run.workflow, node.name] = Handler(
            self._door,
            run.workflow,
            node.name,
            run.number,
            once=self._once,
            log=self._telling.logger(f"cryocloud.input.{node.name}", workflow=run.workflow, node=node.name),
            counted=(0 if ends else unknown, unknown),
        )
        return handler

    # --- on an input's thread, then on the loop -------------------------------------------------------

    def _returned(self, each: RunningInput) -> None:
        """`start` returned. One that was told to stop may have more to report next time."""
        if each.ends and not self._inputs.stop.is_set():
            self._door.put(partial(self._note_returned, each))

    def _note_returned(self, each: RunningInput, batch: Batch) -> None:
        self._parts.runs[each.workflow].input_returned(each.node.name, batch)
        each.returned = True

    def _raised(self, each: RunningInput, error: BaseException, at_start: bool) -> None:
        """`start` raised."""
        what = covered(str(error)) or type(error).__name__
        each.handler.log.error("the input failed: %s", what, exc_info=error)
        self._door.put(partial(self._fail, each, what, at_start))

    def _fail(self, each: RunningInput, what: str, at_start: bool, _batch: Batch) -> None:
        self.failed = max(self.failed, 3 if at_start else 1)
        self._parts.results.say(f"input {each.node.name}: {what}")
        self.stop()
        self._ended(at_start)
