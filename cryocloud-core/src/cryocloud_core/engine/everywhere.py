"""A node that runs on every machine: who is there is asked, then it is split over the answer and merged on the spot.

Laws: which machines are live is known only from the event that answers, so that a replay meets the same ones; the
arguments are resolved once, before it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryocloud_core.engine import regions
from cryocloud_core.engine.pebble import NodeRun, Question
from cryocloud_core.engine.plan import RegionPlan
from cryocloud_core.engine.splits import Region
from cryocloud_core.engine.states import State, Trigger
from cryocloud_core.errors import ResolutionError
from cryocloud_core.graph.workflow import EVERYWHERE
from cryocloud_core.task import Task

if TYPE_CHECKING:
    from cryocloud_core.engine.events import Answered
    from cryocloud_core.engine.moves import Moves


def is_everywhere(task: Task) -> bool:
    """Return True for a task that stands for one on every machine."""
    return task.machines == (EVERYWHERE,)


def check(run: NodeRun, task: Task) -> None:
    """Raise ResolutionError where a task on every machine would be a split inside a split."""
    if not is_everywhere(task):
        return
    key = "splitOn" if run.node.split_on else "loop" if run.node.loop else ""
    if key:
        raise ResolutionError(f'"{EVERYWHERE}" cannot be combined with {key}', subject="ccnode")
    if run.scope.part is not None:
        raise ResolutionError(f'"{EVERYWHERE}" cannot be used inside a split; merge before', subject="ccnode")


def ask(moves: Moves, run: NodeRun, task: Task) -> None:
    """Ask which machines could run a task; the run waits for the answer."""
    moves.pebble.go(run, Trigger.RUN)
    question = Question(run, task)
    moves.pebble.questions[task.id] = question
    moves.commands.append(question.asked(moves.pebble.id))


def answered(moves: Moves, event: Answered) -> None:
    """Split the run over the machines of the answer; without one it has failed."""
    pebble = moves.pebble
    question = pebble.questions.pop(event.task, None)
    if question is None:
        return
    run, task = question.run, question.task
    if not event.machines:
        run.error = f"ccnode: no machine has a {task.kind} worker that offers module {task.module!r}"
        run.outputs = {"error": run.error}
        pebble.go(run, Trigger.UNRESOLVED)
        moves.settle(run)
        return
    name = run.node.name
    plan = RegionPlan(name, name, (run.node,), frozenset({name}))
    regions.begin(moves, Region.over(plan, run, task, list(event.machines)))


def leave(moves: Moves, run: NodeRun, why: str) -> bool:
    """Give up a run that waits for an answer; False when it waits for none."""
    task = moves.pebble.task_id(run)
    question = moves.pebble.questions.get(task)
    if question is None or question.run is not run:
        return False
    del moves.pebble.questions[task]
    moves.pebble.go(run, Trigger.STOPPED)
    run.cause, run.error = State.CANCELLED, why
    moves.settle(run)
    return True
