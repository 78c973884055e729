"""The gate: which of the waiting tasks is handed out next, over all pebbles and workflows.

Laws: pure and not journaled, rebuilt from what the engine owes; a limit is never exceeded; higher priority
first, then the older pebble, then the older task; a task that waits for a limit, that a restriction holds, or that
is passed over, never holds another up.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from attrs import define, field, frozen

from cryocloud_core.engine.holds import Entry, Hold, Key
from cryocloud_core.task import Task

#: True: taken; False: no room for this kind of worker; a text: why this task must wait, while others need not;
#: Held: why all tasks like it must wait
Offer = Callable[[Task], "bool | str | Held"]


@frozen
class Held:
    """Why a task waits together with all others of its `key`: a (workflow, node) whose restrictions do not hold."""

    key: tuple[str, str]
    why: str


@frozen
class Blocked:
    """Tasks of one node that wait for something other than a free worker."""

    workflow: str
    node: str
    count: int
    why: str


@frozen
class Standing:
    """Where one task stands: handed out, held by its node's limit, passed over because of `why`, or behind others.

    `most` is the limit it waits for (0: none) and `holders` the tasks that use it up; `ahead` counts the tasks of its
    kind that are offered before it, `first` is the next of them; `held_by` is the (workflow, node) whose restrictions
    hold it.
    """

    is_out: bool = False
    most: int = 0
    holders: tuple[Task, ...] = ()
    ahead: int = 0
    first: Task | None = None
    why: str = ""
    held_by: tuple[str, str] | None = None


@define
class _Limit:
    """A node that may have only so many tasks out at once.

    `waiting` counts its tasks that are not out; `parked` holds those of them that met the limit.
    """

    most: int
    out: int = 0
    waiting: int = 0
    parked: list[Entry] = field(factory=list)


class Gate:
    """Every task that was started and has not ended: waiting, or out at a worker."""

    def __init__(self) -> None:
        self._ready: dict[str, list[Entry]] = defaultdict(list)
        self._limits: dict[Key, _Limit] = {}
        self._waiting: dict[str, Task] = {}
        self._out: dict[str, Task] = {}
        self._entered = 0
        self._passed: dict[str, tuple[str, Entry]] = {}
        self._holds: dict[tuple[Key, str, str], Hold] = {}
        self._held: Counter[tuple[Key, str]] = Counter()
        self._hold_of: dict[str, Hold] = {}

    def limit(self, workflow: str, node: str, most: int) -> None:
        """Allow at most `most` tasks of a node out at once."""
        self._limits[workflow, node] = _Limit(most)

    def enter(self, task: Task) -> None:
        """Let a task wait here; one that is here already is ignored."""
        if task.id in self._waiting or task.id in self._out:
            return
        self._entered += 1
        self._waiting[task.id] = task
        limit = self._limits.get((task.workflow, task.node))
        if limit is not None:
            limit.waiting += 1
        heapq.heappush(self._ready[task.kind], (-task.priority, task.pebble, self._entered, task))

    def hand_out(self, offer: Offer) -> None:
        """Offer waiting tasks in order, each kind of worker until the first refusal; passed over tasks stay behind.

        Of the tasks that a restriction holds the first is offered, and the next one once that was taken.
        """
        for hold in self._holds.values():
            self._probe(hold)
        for heap in self._ready.values():
            while heap and self._offer_first(heap, offer):
                pass

    def held(self, workflow: str, node: str, of: str) -> int:
        """Return how many tasks of node `of` wait for the restrictions of a node, itself or an input before it."""
        return self._held[(workflow, node), of]

    def let_in(self, workflow: str, node: str, pebble: int) -> None:
        """The restrictions of a node hold back no task of a pebble any more: offer those that waited for them."""
        for hold in self._holds.values():
            if hold.key == (workflow, node):
                for entry in list(hold.behind.get(pebble, {}).values()):
                    self._let_go(entry[3])
                    heapq.heappush(self._ready[entry[3].kind], entry)

    def holds(self) -> dict[tuple[str, str], dict[str, int]]:
        """Return how many tasks of which nodes the restrictions of each (workflow, node) hold back."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        for (key, node), count in self._held.items():
            if count:
                found.setdefault(key, {})[node] = count
        return found

    def passed_over(self) -> list[tuple[Task, str]]:
        """Return the tasks that were passed over and why, in the order in which they were."""
        return [(entry[3], why) for why, entry in self._passed.values()]

    def offer_again(self, tasks: Iterable[str]) -> None:
        """Let tasks that were passed over be offered with the next hand-out."""
        for task in tasks:
            passed = self._passed.pop(task, None)
            if passed is not None:
                heapq.heappush(self._ready[passed[1][3].kind], passed[1])

    def ended(self, task: str) -> None:
        """A task that was out came to its end, or came back: its place under a limit is free."""
        gone = self._out.pop(task, None)
        if gone is None:
            return
        limit = self._limits.get((gone.workflow, gone.node))
        if limit is not None:
            limit.out -= 1
            self._unpark(limit)

    def back(self, task: str) -> None:
        """A task that was out comes back unbegun and waits again."""
        gone = self._out.get(task)
        if gone is not None:
            self.ended(task)
            self.enter(gone)

    def withdraw(self, task: str) -> bool:
        """Take a waiting task away; False when it is not waiting here."""
        gone = self._waiting.pop(task, None)
        if gone is None:
            return False
        self._passed.pop(task, None)
        self._let_go(gone)
        limit = self._limits.get((gone.workflow, gone.node))
        if limit is not None:
            limit.waiting -= 1
        return True

    def is_out(self, task: str) -> bool:
        """True for a task that was handed out and has not ended."""
        return task in self._out

    def top_priority(self, kind: str) -> int | None:
        """Return the priority of the next task of a kind, None when none is ready."""
        heap = self._ready[kind]
        while heap and heap[0][3].id not in self._waiting:
            heapq.heappop(heap)
        return -heap[0][0] if heap else None

    def blocked(self) -> list[Blocked]:
        """Return the nodes whose tasks wait for a limit or were passed over, and why."""
        passed = Counter((task.workflow, task.node, why) for task, why in self.passed_over())
        limited = [
            Blocked(workflow, node, limit.waiting, f"max_parallel: {limit.out} of {limit.most} are running")
            for (workflow, node), limit in self._limits.items()
            if limit.waiting and limit.out >= limit.most
        ]
        holding = [hold for hold in self._holds.values() if hold.count]
        whys = {hold.key: hold.why for hold in holding}
        held = [Blocked(*key, sum(h.count for h in holding if h.key == key), why) for key, why in whys.items()]
        over = [Blocked(workflow, node, count, why) for (workflow, node, why), count in passed.items()]
        return [*limited, *over, *held]

    def waiting(self, task: str) -> Task | None:
        """Return a task that waits here, None for any other."""
        return self._waiting.get(task)

    def standing(self, task: str) -> Standing | None:
        """Return where a task stands, None when it is not here; walks over what waits, for people who ask."""
        if task in self._out:
            return Standing(is_out=True)
        waiting = self._waiting.get(task)
        if waiting is None:
            return None
        limit = self._limits.get((waiting.workflow, waiting.node))
        if limit is not None and limit.out >= limit.most:
            own = (waiting.workflow, waiting.node)
            return Standing(False, limit.most, tuple(t for t in self._out.values() if (t.workflow, t.node) == own))
        if task in self._hold_of:
            hold = self._hold_of[task]
            return Standing(why=hold.why, held_by=hold.key)
        if task in self._passed:
            return Standing(why=self._passed[task][0])
        before = self._before(waiting)
        return Standing(ahead=len(before), first=min(before)[3] if before else None)

    def _before(self, task: Task) -> list[Entry]:
        """Return the ready tasks of the same kind that are offered before this one."""
        ready = [entry for entry in self._ready[task.kind] if entry[3].id in self._waiting]
        own = next((entry for entry in ready if entry[3].id == task.id), None)
        return [entry for entry in ready if own is None or entry < own if self._is_free(entry[3])]

    def _is_free(self, task: Task) -> bool:
        limit = self._limits.get((task.workflow, task.node))
        return limit is None or limit.out < limit.most

    def _offer_first(self, heap: list[Entry], offer: Offer) -> bool:
        """Deal with the first entry of a heap; False when its worker kind takes no more."""
        entry = heapq.heappop(heap)
        task = entry[3]
        limit = self._limits.get((task.workflow, task.node))
        if task.id not in self._waiting:
            if limit is not None and limit.out < limit.most:
                self._unpark(limit)
        elif limit is not None and limit.out >= limit.most:
            heapq.heappush(limit.parked, entry)
        else:
            answer = offer(task)
            if answer is False:
                heapq.heappush(heap, entry)
                return False
            if isinstance(answer, Held):
                self._hold(entry, answer)
            elif isinstance(answer, str):
                self._pass_over(entry, answer)
            else:
                self._take(task)
        return True

    def _hold(self, entry: Entry, held: Held) -> None:
        """Let a task wait for restrictions; its place under a limit goes to the next one."""
        task = entry[3]
        hold = self._holds.get(place := (held.key, task.node, task.kind))
        if hold is None:
            hold = self._holds[place] = Hold(held.key)
        hold.why = held.why
        if self._hold_of.get(task.id) is not hold:
            self._let_go(task)
            hold.count += 1
            self._held[hold.key, task.node] += 1
            self._hold_of[task.id] = hold
        hold.forget(task)
        hold.put(entry)
        self._unpark_of(task)

    def _let_go(self, task: Task) -> None:
        """A task does not wait for restrictions any more."""
        hold = self._hold_of.pop(task.id, None)
        if hold is not None:
            hold.count -= 1
            self._held[hold.key, task.node] -= 1
            hold.forget(task)

    def _probe(self, hold: Hold) -> None:
        """Let the first task that waits for restrictions be offered again."""
        entry = hold.next()
        if entry is not None:
            heapq.heappush(self._ready[entry[3].kind], entry)

    def _take(self, task: Task) -> None:
        self._out[task.id] = self._waiting.pop(task.id)
        limit = self._limits.get((task.workflow, task.node))
        if limit is not None:
            limit.out += 1
            limit.waiting -= 1
        hold = self._hold_of.get(task.id)
        if hold is not None:
            self._let_go(task)
            self._probe(hold)

    def _pass_over(self, entry: Entry, why: str) -> None:
        """Put a task aside; its place under a limit goes to the next one."""
        task = entry[3]
        self._passed[task.id] = (why, entry)
        hold = self._hold_of.get(task.id)
        if hold is not None:
            self._let_go(task)
            self._probe(hold)
        self._unpark_of(task)

    def _unpark_of(self, task: Task) -> None:
        """A task that is not held by its node's limit gives its turn to the next one that is."""
        limit = self._limits.get((task.workflow, task.node))
        if limit is not None and limit.out < limit.most:
            self._unpark(limit)

    def _unpark(self, limit: _Limit) -> None:
        """Let the first task that waits for a limit be offered again."""
        while limit.parked:
            entry = heapq.heappop(limit.parked)
            if entry[3].id in self._waiting:
                heapq.heappush(self._ready[entry[3].kind], entry)
                return
