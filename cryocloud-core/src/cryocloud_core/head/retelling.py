"""One pebble told from the journal alone: its events replayed into an engine of its own, open, closed or set aside.

Laws: read-only, beside a running head or without one; what the replay cannot follow is told as far as it goes; no
secret leaves here.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from cryocloud_core.engine.chronicle import Chronicle, Keeping
from cryocloud_core.engine.events import Context, Event, PebbleArrived, WorkflowReplaced
from cryocloud_core.engine.explain import PebbleTold, RunTold, WaitTold, explain
from cryocloud_core.engine.pebble import Pebble
from cryocloud_core.errors import PebbleNotFound, StateError
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.head.database import unusable
from cryocloud_core.head.journal import JOURNAL_FILE
from cryocloud_core.head.reading import open_journal
from cryocloud_core.head.repeating import not_here, repeated_by
from cryocloud_core.head.veil import Veil
from cryocloud_core.secrets import masked
from cryocloud_core.url_secrets import covered
from cryocloud_core.wire import from_data, from_json

_EVENTS = "SELECT context, body FROM events WHERE pebble = ? ORDER BY seq"
_PEBBLE = "SELECT state, result, error, finished_at, workflow, input, run FROM pebbles WHERE pebble = ?"


@frozen
class Story:
    """A pebble's story and what the journal keeps beside it.

    `state` is `open owing closed quarantined`; `broken` tells why the replay could not follow it; `retry_of` is the
    pebble whose values it was given again, 0 for none.
    """

    told: PebbleTold
    state: str
    finished_at: float | None = None
    broken: str = ""
    retry_of: int = 0


def retell(directory: Path, pebble: int, part: int | None = None) -> Story:
    """Return the story of a pebble, with a number the parts that have it told whole.

    Raises StateError, PebbleNotFound, also for a part that no split of the pebble has.
    """
    with closing(open_journal(directory)) as connection:
        try:
            return _retell(connection, pebble, part)
        except sqlite3.Error as error:
            raise unusable(directory / JOURNAL_FILE, error) from error


def _retell(connection: sqlite3.Connection, pebble: int, part: int | None) -> Story:
    row = connection.execute(_PEBBLE, (pebble,)).fetchone()
    if row is None:
        raise PebbleNotFound(not_here(connection), subject=f"pebble {pebble}")
    state, result, error, finished_at, workflow, source, run = row
    replay = _Replay(connection, part)
    broken = replay.pebble(pebble)
    if replay.found is None:
        raise StateError(f"the journal has no events of pebble {pebble}: {broken or 'it is damaged'}")
    told = explain(replay.found, replay.chronicle, show=lambda value: str(masked(value)))
    if part is not None and not any(run.parts is not None and part < run.parts.total for run in told.nodes):
        raise PebbleNotFound(f"has no part {part}", subject=f"pebble {pebble}", remedy="parts are counted from 0")
    if state != "open":
        told = evolve(told, result=result, error=error or told.error)
    return Story(
        without_secrets(told, replay.contexts.values()),
        state,
        finished_at,
        covered(broken),
        repeated_by(connection, (pebble, workflow, source, run)),
    )


class _Replay:
    """An engine for one pebble, fed from the journal."""

    def __init__(self, connection: sqlite3.Connection, part: int | None) -> None:
        self.found: Pebble | None = None
        self.chronicle = Chronicle(part=part)
        self.contexts: dict[int, Context] = {}
        self._connection = connection
        self._engine = Keeping()
        self._known: set[str] = set()

    def pebble(self, pebble: int) -> str:
        """Apply all its events; return why that ended early, empty when it did not."""
        try:
            for context, event in self._events(pebble):
                if isinstance(event, PebbleArrived | WorkflowReplaced):
                    self._learn(event.workflow)
                commands = self._engine.apply(event, context)
                self.found = self._engine.pebbles.get(pebble)
                if self.found is not None:
                    self.chronicle.note(self.found, event, context, commands)
        except Exception as error:  # noqa: BLE001 - a pebble was set aside for whatever the engine raised: tell up to there
            return f"{type(error).__name__}: {error}"
        return ""

    def _events(self, pebble: int) -> Iterator[tuple[Context, Event]]:
        for number, body in self._connection.execute(_EVENTS, (pebble,)):
            event: Event = from_data(json.loads(body), Event)  # type: ignore[arg-type]
            yield self._context(number), event

    def _context(self, number: int) -> Context:
        if number not in self.contexts:
            query = "SELECT options, config, directory FROM contexts WHERE number = ?"
            options, config, directory = map(json.loads, self._connection.execute(query, (number,)).fetchone())
            self.contexts[number] = Context(number, options, config, directory)
        return self.contexts[number]

    def _learn(self, digest: str) -> None:
        if digest not in self._known:
            self._known.add(digest)
            row = self._connection.execute("SELECT body FROM workflows WHERE digest = ?", (digest,)).fetchone()
            self._engine.add_workflow(digest, from_json(row[0], Workflow))


def without_secrets(told: PebbleTold, contexts: Any) -> PebbleTold:
    """Return the story without secrets: handles as dots, and what they stand for taken out of every text.

    What is told has none of URLs either; the values that came and went are data and have theirs.
    """
    veil = Veil()
    for context in contexts:
        veil.know_handles(context.options, context.config)
    said = partial(_said, veil)
    return evolve(
        told,
        error=said(told.error),
        given_up=said(told.given_up),
        wait=_covered_wait(told.wait, said),
        nodes=tuple(_covered_run(run, veil) for run in told.nodes),
    )


def _covered_run(run: RunTold, veil: Veil) -> RunTold:
    parts, said = run.parts, partial(_said, veil)
    if parts is not None:
        opened, failed = (tuple(_covered_run(each, veil) for each in some) for some in (parts.open, parts.failed))
        asked = None if parts.asked is None else _covered_run(parts.asked, veil)
        parts = evolve(parts, open=opened, failed=failed, asked=asked)
    return evolve(
        run,
        why=said(run.why),
        error=said(run.error),
        wait=_covered_wait(run.wait, said),
        args=tuple(evolve(each, value=veil.data(masked(each.value))) for each in run.args),
        attempts=tuple(evolve(each, error=said(each.error)) for each in run.attempts),
        parts=parts,
        outputs=_covered_outputs(veil.data(masked(run.outputs)), said(run.error)),
    )


def _covered_outputs(outputs: dict[str, Any], error: str) -> dict[str, Any]:
    """Return what a node returned; its `error` is told like others, once."""
    text = outputs.get("error")
    if not isinstance(text, str):
        return outputs
    rest = {name: value for name, value in outputs.items() if name != "error"}
    return rest if covered(text) == error else {**outputs, "error": covered(text)}


def _covered_wait(wait: WaitTold | None, said: Callable[[str], str]) -> WaitTold | None:
    return None if wait is None else evolve(wait, what=said(wait.what))


def _said(veil: Veil, text: str) -> str:
    return covered(veil.text(text))
