"""Plays a case: the real parser, the real linker, the real engine and gate, and modules that end as the case says.

Laws: nothing of the system is replaced but the workers; a case without an order is played with tasks ending first
come first and last come first, and what it demands holds both ways; all differences are told at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from attrs import define, field

from cryocloud_core.engine.commands import Ask, CancelTask, CleanUp, Command, Meet, SetTimer, StartTask
from cryocloud_core.engine.debts import CLEAN_UP_TIMER
from cryocloud_core.engine.exchange import Exchange
from cryocloud_core.engine.gate import Gate, Held
from cryocloud_core.errors import OptionError
from cryocloud_core.files.foreseen import Foreseen
from cryocloud_core.graph.draft import Draft, Found, Linked, Missing, Wanted
from cryocloud_core.graph.load import link, parse
from cryocloud_core.graph.options import read_option
from cryocloud_core.graph.problems import Problem
from cryocloud_core.graph.spec import spec_of
from cryocloud_core.graph.workflow import Workflow
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.task import Cancelled, Code, Staging, StagingKind, Task, TaskId
from cryocloud_core.testing.case import Case
from cryocloud_core.testing.flow import Flow
from cryocloud_core.testing.waits import Waits


def load(case: Case, modules: Mapping[str, Any], flags: tuple[str, ...] = ()) -> tuple[Draft, Linked]:
    """Return the case's workflow, linked with ccmodule dicts by name; a text in place of one is a code and a reason."""
    draft = parse(case.text, strict=case.strict, flags=flags)
    found = {wanted: _find(wanted, {**modules, **case.modules}) for wanted in draft.wanted()}
    return draft, link(draft, found, foresight=_foresight())


@cache
def _foresight() -> Foreseen:
    return Foreseen(Registry.installed(), lambda _: {})


def _find(wanted: Wanted, modules: Mapping[str, Any]) -> Found | Missing:
    definition = modules.get(wanted.module)
    if isinstance(definition, str):
        code, _, why = definition.partition(" ")
        return Missing(code, why)
    if definition is None:
        return Missing("E15", "looked in the case")
    shadows = definition.get("shadows")
    return Found(spec_of(wanted.module, definition), Code(reference=wanted.module), shadows)


@define
class Play:
    """One performance of a case: `run` it, then read what came of it."""

    case: Case
    flow: Flow
    #: of several open tasks the one that was handed out last ends first
    last_first: bool = False
    gate: Gate = field(factory=Gate)
    out: list[Task] = field(factory=list)
    starts: list[str] = field(factory=list)
    tasks: dict[str, Task] = field(factory=dict)
    at_once: Counter[str] = field(factory=Counter)
    waits: list[float] = field(factory=list)
    cleaned: list[str | None] = field(factory=list)
    _timers: list[SetTimer] = field(factory=list)
    _cleans: list[CleanUp] = field(factory=list)
    _cancels: dict[str, str] = field(factory=dict)
    #: pebbles that wait for each other
    _exchange: Exchange = field(factory=Exchange)
    _waits: Waits = field(init=False)
    #: why something had to wait
    blocked: set[str] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        """Make what holds tasks back."""
        self._waits = Waits(self.flow, self.gate, self.case)

    @classmethod
    def of(cls, case: Case, draft: Draft, workflow: Workflow, *, last_first: bool = False) -> Play:
        """Return a play of a linked workflow."""
        play = cls(case, Flow.of(workflow, options=_read_options(case, draft), config=dict(case.config)), last_first)
        for node in workflow.nodes.values():
            if node.max_parallel is not None:
                play.gate.limit(workflow.name, node.name, node.max_parallel)
        return play

    def run(self) -> None:
        """Let the pebbles arrive and everything end that starts."""
        for number, (source, values) in enumerate(self.case.arrivals, 1):
            self._waits.arrives(number, source)
            self._perform(self.flow.arrive(number, dict(values), source))
        self._hand_out()
        while self._step():
            self._hand_out()

    def states(self) -> dict[str, str]:
        """Return how every label settled."""
        pebbles = range(1, len(self.case.arrivals) + 1)
        return {label(pebble, name): state for pebble in pebbles for name, state in self.flow.states(pebble).items()}

    def _step(self) -> bool:
        """Do the next thing that is due; False when nothing is."""
        if self._cleans:
            command = self._cleans.pop(0)
            self.cleaned.extend(command.bases)
            self._perform(self.flow.clean(command.machine, command.pebble))
        elif self.out:
            self._end(self._next())
        elif self._timers:
            timer = min(self._timers, key=lambda each: each.due_at)
            self._timers.remove(timer)
            self.flow.at = max(self.flow.at, timer.due_at)
            self._perform(self.flow.fire(timer.timer, timer.pebble))
        else:
            return self._waits.changed("", self.flow.at) or self._part()
        return True

    def _part(self) -> bool:
        """No partner will come for pebbles that wait, unless an input goes on for ever; False when none waits."""
        nodes = self.flow.workflow.nodes.values()
        name = self.flow.workflow.name
        answers = [] if any(node.permanent for node in nodes) else self._exchange.give_up(name, self.flow.at)
        for answer in answers:
            self._perform(self.flow.when(answer))
        return bool(answers)

    def _next(self) -> Task:
        ranks = {name: rank for rank, name in enumerate(self.case.order)}
        ranked = self.out[::-1] if self.last_first else self.out
        return min(ranked, key=lambda task: ranks.get(label_of(task.id), ranks.get(task.node, len(ranks))))

    def _end(self, task: Task) -> None:
        name = label_of(task.id)
        if self.case.cancel == name and task.id not in self._cancels:
            self._perform(self.flow.cancel(task.pebble))
            return
        self.out.remove(task)
        self.gate.ended(task.id)
        self._waits.counters.ended(task)
        self._waits.changed(name, self.flow.at)
        why = self._cancels.get(task.id)
        outcome = self.case.end_of(name, task.node, task.attempt) if why is None else Cancelled(why)
        machine = next(iter(task.machines), self.case.machines[0] if self.case.machines else "m1")
        self._perform(self.flow.end(task.id, outcome, machine=machine))

    def _hand_out(self) -> None:
        def offer(task: Task) -> bool | Held:
            held = self._waits.restraint.held(task)
            if held is not None:
                return held
            if len(self.out) >= self.case.workers:
                return False
            self.out.append(task)
            self._waits.counters.handed(task)
            self._waits.counters.began(task, "worker", self.flow.at)
            self.starts.append(label_of(task.id))
            self.tasks.setdefault(label_of(task.id), task)
            return True

        idle = 0
        # What a restriction holds does not count any more once it is held: the next look sees that.
        while idle < 2:
            before = len(self.starts)
            self.gate.hand_out(offer)
            idle = 0 if len(self.starts) > before else idle + 1
        self.blocked |= {each.why for each in (*self.gate.blocked(), *self._exchange.blocked())}
        for node, count in Counter(task.node for task in self.out).items():
            self.at_once[node] = max(self.at_once[node], count)

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case StartTask(task):
                    self._waits.counters.queued(task)
                    self.gate.enter(task)
                case Meet():
                    for answer in self._exchange.join(command, self.flow.at):
                        self._perform(self.flow.when(answer))
                case SetTimer(timer=name) if name != CLEAN_UP_TIMER:
                    self.waits.append(command.due_at - self.flow.at)
                    self._timers.append(command)
                case CleanUp():
                    self._cleans.append(command)
                case Ask():
                    self._perform(self.flow.answer(command.task, *self.case.machines, pebble=command.pebble))
                case CancelTask(task=task, why=why):
                    self._cancel(task, why)
                case _:
                    pass

    def _cancel(self, task: str, why: str) -> None:
        if self._exchange.leave(task):
            return
        if self.gate.withdraw(task):
            self._waits.counters.withdrawn(self.flow.workflow.name, TaskId.parse(task).node)
            self._perform(self.flow.end(task, Cancelled(why)))
        else:
            self._cancels[task] = why


def label(pebble: int, name: str) -> str:
    """Return the label of a node's run: the pebble is told from the second one on."""
    return name if pebble == 1 else f"{pebble}:{name}"


def label_of(task: str, pebble: int | None = None) -> str:
    """Return the label of a task by its id; `pebble` is its number in the case, if that is another."""
    read = TaskId.parse(task)
    part = "" if read.part is None else f".{read.part}"
    firing = "" if read.firing is None else f"#{read.firing}"
    return label(pebble or read.pebble, f"{read.node}{part}{firing}")


def _read_options(case: Case, draft: Draft) -> dict[str, Any]:
    return {name: read_option(option, case.options.get(name), _no_file) for name, option in draft.options.items()}


def _no_file(_path: str) -> None:
    return None


# --- what is demanded -------------------------------------------------------------------------------------


def differences(case: Case, modules: Mapping[str, Any], flags: tuple[str, ...] = ()) -> list[str]:
    """Return everything in which a case and the system disagree, one line each; empty when it holds."""
    draft, linked = load(case, modules, flags)
    found = list(_problem_differences(case, linked.problems))
    if case.refuses:
        found.extend(_option_differences(case, draft))
    if found or case.refuses or linked.workflow is None:
        return found
    for last_first in (False,) if case.order else (False, True):
        play = Play.of(case, draft, linked.workflow, last_first=last_first)
        play.run()
        way = "last come first" if last_first else "first come first"
        found.extend(f"{line} ({way})" for line in _play_differences(case, play))
    return found


def _problem_differences(case: Case, problems: tuple[Problem, ...]) -> Iterator[str]:
    told = [problem for problem in problems if problem.code != "E38" or "E38" in case.problems]
    refused = sorted({problem.message.split('"')[1] for problem in problems if problem.code == "E38"})
    if "E38" not in case.problems and refused != sorted(case.refused):
        yield f"refused are {refused}, expected {sorted(case.refused)}"
    if (codes := tuple(problem.code for problem in told)) != case.problems:
        yield f"problems are {codes}, expected {case.problems}"
    text = "\n".join(problem.text("flow.json") for problem in problems)
    for part in case.says:
        if part not in text:
            yield f"no problem says {part!r}"
    if text and any(problem.code not in case.problems for problem in told):
        yield text


def _option_differences(case: Case, draft: Draft) -> Iterator[str]:
    try:
        values = _read_options(case, draft)
    except OptionError as error:
        if case.refuses not in str(error):
            yield f"the command line is refused with {error}, expected {case.refuses!r}"
    else:
        yield f"the command line gives {values}, expected {case.refuses!r}"


def _play_differences(case: Case, play: Play) -> Iterator[str]:
    yield from differ("state", case.states, play.states())
    for number, result in enumerate(case.results, 1):
        yield from differ("result of pebble", {number: result}, {number: play.flow.result(number) or "open"})
    if case.starts is not None and tuple(play.starts) != case.starts:
        yield f"starts were {play.starts}, expected {case.starts}"
    tasks = play.tasks
    for name, args in case.args.items():
        yield from differ(f"argument of {name}", args, tasks[name].args if name in tasks else {})
    for name, fields in case.tasks.items():
        yield from differ(f"{name}'s task", fields, {key: getattr(tasks.get(name), key, None) for key in fields})
    for name, staged in case.staged.items():
        yield from differ(f"staging of {name}", staged, staging_of(tasks[name]) if name in tasks else {})
    yield from differ("attempts of", case.attempts, Counter(play.starts))
    yield from differ("tasks at once of", case.at_once, play.at_once)
    if case.waits is not None and tuple(play.waits) != case.waits:
        yield f"waits were {play.waits}, expected {case.waits}"
    for part in case.blocked:
        if not any(part in why for why in play.blocked):
            yield f"nothing waits because {part!r}, but because {sorted(play.blocked)}"
    yield from _note_differences(case, play.flow.notes())
    if sorted(map(str, play.cleaned)) != sorted(map(str, case.cleaned)):
        yield f"cleaned were {play.cleaned}, expected {case.cleaned}"
    play.flow.replayed()


def differ(what: str, expected: Mapping[Any, Any], got: Mapping[Any, Any]) -> Iterator[str]:
    """Yield a line for each expected value that was not got; a missing one is `nothing`, types count."""
    for name, value in expected.items():
        found = got.get(name, "nothing")
        if found != value or type(found) is not type(value):
            yield f"{what} {name} is {found!r}, expected {value!r}"


def _note_differences(case: Case, notes: list[str]) -> Iterator[str]:
    left = list(notes)
    for part in case.notes:
        fitting = next((note for note in left if part in note), None)
        if fitting is None:
            yield f"no warning says {part!r}; they were {notes}"
        else:
            left.remove(fitting)
    if left:
        yield f"warnings that nobody asked for: {left}"


def staging_of(task: Task) -> dict[str, str]:
    """Return how each argument is prepared, as `tempdir w`, `file unzip @m1`, `dir`."""
    return {staging.argument: _staging_text(staging) for staging in task.staging}


def _staging_text(staging: Staging) -> str:
    how = staging.preparation
    words = [how.kind.value]
    if how.kind is StagingKind.TEMPDIR:
        words.append(how.id or "")
    elif how.kind is StagingKind.FILE:
        words += [word for word, is_said in _FILE_WORDS if is_said(how)]
        words += [f"@{origin}" for origin in staging.origins]
    return " ".join(filter(None, words))


_FILE_WORDS = (
    ("unzip", lambda how: how.unzip),
    ("no-copy", lambda how: not how.copy),
    ("drop", lambda how: not how.keep),
    ("http", lambda how: how.proto == "http"),
)
