"""A case: one workflow, what its modules do, and what must come of it; a row of a table.

Laws: a case is data and says only what it is about; nodes are written as the language writes them, in JSON;
a label names a run of a node: `A`, `H#2` (second firing of a global handler), `W.0` (split part), with `2:` in
front for the second pebble.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from cryocloud_core.graph.unsupported import REFUSED
from cryocloud_core.task import Failed, Outcome, Succeeded

#: The node that makes the pebbles, unless a case brings its own.
INPUT: Final = '{"module": "cmdline", "name": "In", "downstreamOf": ["entry"]}'

#: How a task ends: an outcome, a map (success with these outputs), a text (an error), None (success).
End = Outcome | Mapping[str, Any] | str | None


def outcome_of(end: End) -> Outcome:
    """Return the outcome that an end stands for."""
    if end is None:
        return Succeeded()
    if isinstance(end, str):
        return Failed(end)
    return Succeeded(dict(end)) if isinstance(end, Mapping) else end


@frozen
class Case:
    """One row.

    Given: `nodes`, node objects in JSON, one after the other, below the node `In` (`input` replaces that one);
    `workflow`, further keys beside `nodes`; or `document`, a whole text. `options` stand on the command line,
    `config` are full dotted names.

    When: `arrivals` are (input node, values), `ends` say how tasks end, by label or node, a list for attempt
    after attempt; `order` names nodes or labels in the order their tasks end while several are open (both ways round
    when it is empty); `workers` run at once, on `machines`; the pebble is given up while `cancel` runs. `status` holds
    status values by `channel:parameter`, `changes` those that change when a label's task ends, or, under no label, when
    nothing else can happen.

    Then: the codes of `problems`, exactly, in document order, and `says`, texts that they contain; what the
    command line `refuses` about the options; the `states` of labels, the `result` of each pebble, `starts` in
    order, `args`, `staged` and fields of the `tasks` of labels, `attempts` and most tasks `at_once` of nodes,
    `waits` before repeats in seconds; `blocked`, texts that say why tasks or pebbles had to wait; `notes`, one for each
    warning of the run, contained in it; `cleaned`, the bases of the tempdirs that were removed. A pebble that is left
    waiting has the result `open`.

    For a run with real workers: `code`, bodies of `process_task` by module (`args`, `task`, `worker`, `here`, and
    `cancel_event` if it asks for it; other modules end as `ends` says); `files` made before, by path from the case's
    folder, a text, bytes, or a map that is zipped; `$HERE` is that folder in every text. Then `args` are what the
    modules were given, `exists` tells of paths afterwards, `gone` is a file whose
    lines are paths that are no more, `errors` are contained in the error of nodes, and
    `overlaps` names pairs of nodes with whether they ran at the same time, `exit` is the exit code of a run of its own.

    `awaits` names keys that nothing executes yet: as long as they are refused the case demands just that.
    """

    title: str
    nodes: str = ""
    input: str = INPUT
    workflow: Mapping[str, Any] = field(factory=dict)
    document: str | bytes | None = None
    strict: bool = False
    modules: Mapping[str, Any] = field(factory=dict)
    options: Mapping[str, str | bool] = field(factory=dict)
    config: Mapping[str, Any] = field(factory=dict)
    awaits: tuple[str, ...] = ()

    arrivals: Sequence[tuple[str, Mapping[str, Any]]] = (("In", {}),)
    ends: Mapping[str, End | list[End]] = field(factory=dict)
    order: tuple[str, ...] = ()
    workers: int = 99
    machines: tuple[str, ...] = ("m1", "m2")
    cancel: str = ""
    status: Mapping[str, Any] = field(factory=dict)
    changes: Mapping[str, Mapping[str, Any]] = field(factory=dict)

    problems: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    refuses: str = ""
    states: Mapping[str, str] = field(factory=dict)
    result: str | tuple[str, ...] = "success"
    starts: tuple[str, ...] | None = None
    args: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    staged: Mapping[str, Mapping[str, str]] = field(factory=dict)
    tasks: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    attempts: Mapping[str, int] = field(factory=dict)
    at_once: Mapping[str, int] = field(factory=dict)
    waits: tuple[float, ...] | None = None
    blocked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cleaned: tuple[str | None, ...] = ()

    code: Mapping[str, str] = field(factory=dict)
    files: Mapping[str, str | bytes | Mapping[str, str]] = field(factory=dict)
    exists: Mapping[str, bool] = field(factory=dict)
    gone: str = ""
    exit: int | None = None
    errors: Mapping[str, str] = field(factory=dict)
    overlaps: Mapping[tuple[str, str], bool] = field(factory=dict)

    @property
    def text(self) -> str | bytes:
        """The whole document."""
        if self.document is not None:
            return self.document
        keys = {"name": "case", "description": self.title, **self.workflow}
        front = "".join(f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in keys.items())
        nodes = ",\n".join(part.strip().rstrip(",") for part in (self.input, self.nodes) if part.strip())
        return f'{{"workflow": {{\n{front}  "nodes": [\n{nodes}\n]}}}}\n'

    @property
    def refused(self) -> tuple[str, ...]:
        """The keys that this case awaits and that are still refused."""
        return tuple(key for key in self.awaits if key in REFUSED)

    @property
    def runs(self) -> bool:
        """True when the document has no error, so that pebbles go through it."""
        return not any(code.startswith("E") for code in self.problems)

    @property
    def results(self) -> tuple[str, ...]:
        """The expected result of each pebble."""
        return self.result if isinstance(self.result, tuple) else (self.result,) * len(self.arrivals)

    def end_of(self, label: str, node: str, attempt: int) -> Outcome:
        """Return how an attempt ends: as the case says of its label, of the label in any pebble, of its node."""
        for name in (label, label.partition(":")[2], node):
            if name in self.ends:
                ends = self.ends[name]
                return outcome_of(ends[min(attempt, len(ends)) - 1] if isinstance(ends, list) else ends)
        return Succeeded()
