"""What to do with pebbles of an earlier start: go on, go on in a newer graph, drop them, or refuse.

Laws: nothing is changed before all questions are answered; a refusal says what differs and what can be
done; a workflow's name belongs to one file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import evolve, fields, frozen

from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.events import Event, PebbleCancelled, WorkflowReplaced
from cryocloud_core.errors import ResumeRefused, StateError
from cryocloud_core.graph.meaning import workflow_text
from cryocloud_core.graph.workflow import Node, Workflow
from cryocloud_core.head.batch import Batch, readable
from cryocloud_core.head.hiding import without_defaults
from cryocloud_core.head.ledger import Held, Ledger
from cryocloud_core.head.results import pebbles
from cryocloud_core.head.settings import RunSettings
from cryocloud_core.wire import to_data

_WAYS = "--resume=continue goes on in the new one, --resume=drop gives them up, --fresh starts anew"


@frozen
class Given:
    """A workflow as this start was given it, with the digest of its meaning."""

    workflow: Workflow
    path: Path
    digest: str

    @classmethod
    def of(cls, workflow: Workflow, path: Path) -> Given:
        """Return a workflow with its digest."""
        return cls(workflow, path, hashlib.sha256(workflow_text(workflow).encode()).hexdigest())

    def note(self, batch: Batch) -> None:
        """Add to a batch that this name has this graph and this file; the graph keeps its order of nodes."""
        kept = evolve(self.workflow, options=without_defaults(self.workflow.options))
        name, body = self.workflow.name, json.dumps(to_data(kept), separators=(",", ":"))
        batch.also("INSERT OR IGNORE INTO workflows VALUES (?, ?, ?)", self.digest, name, body)
        path = readable(str(self.path))
        batch.also("INSERT OR REPLACE INTO names VALUES (?, ?, ?)", name, path, self.digest)


def check_names(connection: sqlite3.Connection, given: Iterable[Given]) -> None:
    """Refuse a workflow name that belongs to another file. Raises StateError naming both."""
    known = dict(connection.execute("SELECT name, path FROM names").fetchall())
    for each in given:
        name, path = each.workflow.name, readable(str(each.path))
        if name in known and not _is_same(known[name], each.path):
            raise StateError(
                f"it holds the pebbles of {known[name]}, not those of {path}",
                subject=f"workflow {name!r}",
                remedy="give one of them another name, or this run another --state-dir",
            )


def _is_same(kept: str, path: Path) -> bool:
    """Return True when the path that was kept and this one lead to one place, whatever links and dots are in them."""
    return kept == readable(str(path)) or os.path.realpath(kept) == readable(os.path.realpath(path))


def decide(
    engine: Engine,
    ledger: Ledger,
    given: Mapping[str, Given],
    settings: RunSettings,
    old: Mapping[str, Workflow],
) -> list[Event]:
    """Return the events that settle what is to become of unfinished pebbles. Raises ResumeRefused.

    `old` maps digests to the graphs that unfinished pebbles are in.
    """
    now = time.time()
    unfinished = [held for held in ledger if not held.owing]
    if settings.fresh:
        return [PebbleCancelled(held.pebble, now, "abandoned") for held in unfinished]
    stale = [held for held in unfinished if engine.pebbles[held.pebble].workflow != given[held.workflow].digest]
    if settings.resume == "drop":
        return [PebbleCancelled(held.pebble, now, "dropped") for held in stale]
    if settings.resume == "continue":
        _refuse_lost_nodes(engine, stale, given)
        return [WorkflowReplaced(held.pebble, now, given[held.workflow].digest) for held in stale]
    if stale:
        raise _refusal(engine, stale, given, old)
    return []


def _refuse_lost_nodes(engine: Engine, stale: list[Held], given: Mapping[str, Given]) -> None:
    reasons: dict[str, int] = {}
    for held in stale:
        why = engine.why_not(held.pebble, given[held.workflow].digest)
        if why:
            reasons[why] = reasons.get(why, 0) + 1
    if reasons:
        what = "; ".join(f"{why} ({pebbles(count)})" for why, count in reasons.items())
        raise ResumeRefused(
            f"cannot go on in the new workflow: {what}", remedy="--resume=drop, --fresh, or the old file"
        )


def _refusal(
    engine: Engine, stale: list[Held], given: Mapping[str, Given], old: Mapping[str, Workflow]
) -> ResumeRefused:
    name = stale[0].workflow
    of_name = [held for held in stale if held.workflow == name]
    before = old[engine.pebbles[of_name[0].pebble].workflow]
    what = "; ".join(differences(before, given[name].workflow))
    return ResumeRefused(
        f"unfinished pebbles ({len(of_name)}) are in another version of it: {what}",
        subject=f"workflow {name!r}",
        remedy=f"{_WAYS}, or run the old file",
    )


def differences(before: Workflow, after: Workflow) -> list[str]:
    """Say what differs between two versions of a workflow, node by node."""
    said = [f"node {name!r} is gone" for name in before.nodes if name not in after.nodes]
    said += [f"node {name!r} is new" for name in after.nodes if name not in before.nodes]
    for name, node in after.nodes.items():
        changed = _changed(before.nodes[name], node) if name in before.nodes else []
        if changed:
            said.append(f"node {name!r} has other {', '.join(changed)}")
    old, new = without_defaults(before.options), without_defaults(after.options)
    if old != new:
        said.append(f"options differ: {sorted(n for n in {*old, *new} if old.get(n) != new.get(n))}")
    return said or ["the order of its nodes"]


def _changed(before: Node, after: Node) -> list[str]:
    """Return which keys of a node differ; of `args`, which arguments."""
    changed = []
    for each in fields(Node):
        old, new = getattr(before, each.name), getattr(after, each.name)
        if old == new:
            continue
        if isinstance(old, dict):
            keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
            changed.append(f"{each.name} ({', '.join(keys)})")
        else:
            changed.append(each.name)
    return changed
