"""Runs cases for real: modules in plain files, worker processes, a journal; many cases as workflows of one head.

Laws: what a module was given and when it ran is read from what the module itself wrote down; what became of nodes
is read from what observers and the last view are told; a case's folder holds all that it may touch.
"""

from __future__ import annotations

import json
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import define, evolve, field, frozen

from cryocloud_core.api.reading import Reading
from cryocloud_core.api.running import Nobody, Run
from cryocloud_core.head.settings import RunSettings, Told
from cryocloud_core.head.view import RunView
from cryocloud_core.sdk.observed import PebbleSeen, RunSeen, TaskSeen
from cryocloud_core.task import Failed, Succeeded, TaskId
from cryocloud_core.testing.case import Case, outcome_of
from cryocloud_core.testing.play import differ, label_of

HERE: Final = "$HERE"
#: seconds without a word after which a run is given up and its last view told
STUCK_S: Final = 60.0
_ENTRY: Final = """\
import json, os, time
from cryocloud_core.task import TaskId
ccmodule = {spec!r}
here, _ends = {here!r}, {ends!r}

def _note(**what):
    file = os.open({evidence!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (json.dumps(what, default=str) + "\\n").encode())
    os.close(file)

def process_task({parameters}):
    name, args = task["taskid"], task["args"]
    _note(task=name, attempt=task["attempt"], args=args, began=time.time())
    try:
        return _body(worker, task, args{passed})
    finally:
        _note(task=name, ended=time.time())

def _body(worker, task, args, cancel_event=None):
"""
_AS_SAID: Final = """\
read = TaskId.parse(task["taskid"])
own = read.node + ("" if read.part is None else f".{read.part}") + ("" if read.firing is None else f"#{read.firing}")
ends = _ends.get(own, _ends.get(read.node, [("return", {})]))
how, what = ends[min(task["attempt"], len(ends)) - 1]
if how == "raise":
    raise RuntimeError(what)
return 100, what
"""


@frozen
class Ran:
    """One task as its module told: its label and attempt, what it was given, when it began and ended."""

    label: str
    attempt: int
    args: dict[str, Any]
    began: float
    ended: float


@define(eq=False)
class Ear(Nobody):
    """Hears what becomes of a run."""

    results: dict[str, list[str]] = field(factory=lambda: defaultdict(list))
    tasks: dict[str, list[TaskSeen]] = field(factory=lambda: defaultdict(list))
    #: gives a pebble up, or all, and the tasks (workflow and node) whose pebbles are given up when they run
    cancel: Callable[[int | None], Any] | None = None
    to_cancel: set[tuple[str, str]] = field(factory=set)
    tick_s: float = 0.05
    hears_tasks: bool = True
    flow_of: dict[int, str] = field(factory=dict)
    view: RunView | None = None
    exit_code: int | None = None
    #: what was waited for when nothing happened any more
    stuck: str = ""
    _heard_at: float = field(factory=time.monotonic)

    def told(self, record: Told) -> None:
        """Keep what is told of pebbles and tasks."""
        self._heard_at = time.monotonic()
        match record:
            case PebbleSeen(result=""):
                self.flow_of[record.pebble] = record.workflow
            case PebbleSeen(result=result):
                self.results[record.workflow].append(result)
            case TaskSeen():
                self.tasks[record.workflow].append(record)
            case RunSeen(exit_code=code) if code is not None:
                self.exit_code = code
            case _:
                pass

    def tick(self, view: RunView) -> None:
        """Give up the pebbles that are to be given up, once; all when the run is stuck."""
        if time.monotonic() - self._heard_at > STUCK_S and not self.stuck and self.cancel is not None:
            running = [f"{task.task} in {task.worker}" for task in view.active]
            waiting = [f"{each.workflow} {each.node} {each.count}: {each.why}" for each in view.blocked]
            counted = [f"{node.workflow} {node.name}" for node in view.nodes if node.pending or node.processing]
            self.stuck = f"nothing happened for {STUCK_S:g} s: {running} run, {waiting} wait, open are {counted}"
            self.cancel(None)
        for task in view.active:
            key = (self.flow_of.get(task.pebble, ""), task.node)
            if self.cancel is not None and key in self.to_cancel:
                self.to_cancel.remove(key)
                self.cancel(task.pebble)

    def closed(self, view: RunView | None, closing: Sequence[str]) -> None:  # noqa: ARG002 - the watcher's contract
        """Keep the last view."""
        self.view = view


@define(eq=False)
class Stage:
    """A folder where a case is run: its workflow, its modules, its files, and what its modules wrote down."""

    case: Case
    folder: Path
    name: str

    @classmethod
    def build(cls, case: Case, folder: Path, name: str, modules: Mapping[str, Any]) -> Stage:
        """Write everything a run needs into the folder."""
        folder.mkdir(parents=True)
        here = str(folder)
        placed = evolve(case, nodes=case.nodes.replace(HERE, here), input=case.input.replace(HERE, here))
        flow = {"name": name, **case.workflow}
        stage = cls(evolve(placed, workflow=flow), folder, flow["name"])
        text = stage.case.text
        stage.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        for module, spec in {**modules, **case.modules}.items():
            if "input_type" not in spec and "job_type" not in spec:
                (folder / f"{module}.py").write_text(stage._source(module, spec))
        for path, content in case.files.items():
            _write(folder / path, content)
        return stage

    @property
    def path(self) -> Path:
        """The workflow's file."""
        return self.folder / "flow.json"

    def ran(self) -> list[Ran]:
        """Return the tasks that began, in that order."""
        lines = (
            [json.loads(line) for line in self._evidence.read_text().splitlines()] if self._evidence.exists() else []
        )
        ends = {line["task"]: line["ended"] for line in lines if "ended" in line}
        begins = sorted((line for line in lines if "began" in line), key=lambda line: line["began"])
        # the head numbers the pebbles of all its workflows; a case counts its own
        pebbles = sorted({TaskId.parse(line["task"]).pebble for line in begins})
        number = {pebble: number for number, pebble in enumerate(pebbles, 1)}
        return [
            Ran(
                label_of(line["task"], number[TaskId.parse(line["task"]).pebble]),
                line["attempt"],
                line["args"],
                line["began"],
                ends.get(line["task"], 0.0),
            )
            for line in begins
        ]

    @property
    def _evidence(self) -> Path:
        return self.folder / "evidence.jsonl"

    def _source(self, module: str, spec: Mapping[str, Any]) -> str:
        body = self.case.code.get(module, _AS_SAID)
        deaf = module in self.case.code and "cancel_event" not in body
        head = _ENTRY.format(
            spec=dict(spec),
            here=str(self.folder),
            evidence=str(self._evidence),
            ends={name: [_said(end) for end in _list(ends)] for name, ends in self.case.ends.items()},
            parameters="worker, task" if deaf else "worker, task, cancel_event=None",
            passed="" if deaf else ", cancel_event",
        )
        return head + "".join(f"    {line}\n" for line in body.splitlines())


def perform(stages: Sequence[Stage], settings: RunSettings, options: Mapping[str, Any] | None = None) -> Ear:
    """Run the workflows of all stages under one head and return what was heard. Raises what `api.run` raises."""
    ear = Ear(to_cancel={(stage.name, stage.case.cancel) for stage in stages if stage.case.cancel})
    run = Run.prepare([stage.path for stage in stages], options or {}, Reading(), settings=settings, watcher=ear)
    ear.cancel = run.cancel
    ear.exit_code = run.run()
    return ear


def differences(stage: Stage, ear: Ear) -> list[str]:
    """Return everything in which a case and its run disagree, one line each; empty when it holds."""
    found = [*_outcomes(stage, ear), *_evidence(stage)]
    return [f"{stage.case.title}: {line.replace(str(stage.folder), HERE)}" for line in found]


def _outcomes(stage: Stage, ear: Ear) -> Iterator[str]:
    case = stage.case
    if ear.stuck:
        yield ear.stuck
    expected, got = sorted(case.results), sorted(ear.results[stage.name])
    if expected != got:
        yield f"results are {got}, expected {expected}"
    if case.exit not in (None, ear.exit_code):
        yield f"exit code is {ear.exit_code}, expected {case.exit}"
    states = states_of(stage.name, ear)
    for label, state in case.states.items():
        wanted = "not run" if state in ("skipped", "blocked") else state
        if state != "success" or label != "In":
            yield from differ("state", {label: wanted}, {label: states.get(label, "not run")})
    told = {task.node: task.error for task in ear.tasks[stage.name]}
    for name, part in case.errors.items():
        if part.replace(HERE, str(stage.folder)) not in told.get(name, "nothing"):
            yield f"error of {name} is {told.get(name)!r}, expected {part!r} in it"


def states_of(workflow: str, ear: Ear) -> dict[str, str]:
    """Return how the nodes of a workflow with one pebble ended; `not run` for skipped and blocked alike."""
    counted = [] if ear.view is None else [node for node in ear.view.nodes if node.workflow == workflow]
    states = {node.name: "not run" if node.skipped else "error" for node in counted if node.skipped or node.failed}
    return states | {label_of(task.task, 1): task.outcome for task in ear.tasks[workflow]}


def _evidence(stage: Stage) -> Iterator[str]:
    case, here = stage.case, str(stage.folder)
    ran = stage.ran()
    given = {each.label: each.args for each in reversed(ran)}
    for label, args in case.args.items():
        yield from differ(f"argument of {label}", _placed(args, here), given.get(label, {}))
    yield from differ("attempts of", case.attempts, Counter(each.label for each in ran))
    # several workers begin at the same moment in any order
    arranged = list if case.workers == 1 else sorted
    if case.starts is not None and arranged(case.starts) != arranged(each.label for each in ran):
        yield f"starts were {[each.label for each in ran]}, expected {case.starts}"
    for node, most in case.at_once.items():
        if (count := _most_at_once([each for each in ran if each.label == node])) > most:
            yield f"{count} tasks of {node} ran at once, expected at most {most}"
    spans = {each.label: each for each in ran}
    for (one, other), together in case.overlaps.items():
        did = spans[one].began < spans[other].ended and spans[other].began < spans[one].ended
        if did != together:
            yield f"{one} and {other} ran at the same time: {did}, expected {together}"
    listed = Path(case.gone.replace(HERE, here)).read_text().splitlines() if case.gone else []
    for path, there in {**case.exists, **dict.fromkeys(listed, False)}.items():
        if Path(path.replace(HERE, here)).exists() != there:
            yield f"{path} exists: {not there}, expected {there}"


def _most_at_once(ran: Sequence[Ran]) -> int:
    return max((sum(a.began <= b.began < a.ended for a in ran) for b in ran), default=0)


def _placed(value: Any, here: str) -> Any:
    if isinstance(value, str):
        return value.replace(HERE, here)
    if isinstance(value, list):
        return [_placed(item, here) for item in value]
    return {key: _placed(item, here) for key, item in value.items()} if isinstance(value, Mapping) else value


def _list(ends: Any) -> list[Any]:
    return ends if isinstance(ends, list) else [ends]


def _said(end: Any) -> tuple[str, Any]:
    match outcome_of(end):
        case Succeeded(outputs):
            return "return", outputs
        case Failed(error, {}, permanent=False):
            return "raise", error
        case other:
            raise TypeError(f"no module can end with {other} by itself")


def _write(path: Path, content: str | bytes | Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Mapping):
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in content.items():
                archive.writestr(name, text)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
