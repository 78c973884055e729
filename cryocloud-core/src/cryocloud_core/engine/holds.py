"""What a restriction holds back: the tasks of one node that wait for it, the first of them offered as a probe.

Laws: pure; only the first task is offered, so that a closed door costs one look a turn, however many stand before it.
"""

from __future__ import annotations

import heapq

from attrs import define, field

from cryocloud_core.task import Task

#: minus priority, pebble, when it came to the gate, the task: the order in which tasks are offered
Entry = tuple[int, int, int, Task]
#: workflow and node
Key = tuple[str, str]


@define(eq=False)
class Hold:
    """Tasks of one node that wait for restrictions, its own or its input's; `probe` is the one offered next.

    Each node waits by itself: a probe that finds no worker of its kind, or a limit, keeps only its own node waiting.
    """

    key: Key
    why: str = ""
    count: int = 0
    entries: list[Entry] = field(factory=list)
    probe: Entry | None = None
    #: the tasks in `entries`, by pebble
    behind: dict[int, dict[str, Entry]] = field(factory=dict)

    def put(self, entry: Entry) -> None:
        """Let a task wait."""
        heapq.heappush(self.entries, entry)
        self.behind.setdefault(entry[3].pebble, {})[entry[3].id] = entry

    def forget(self, task: Task) -> None:
        """A task does not wait here now."""
        if self.probe is not None and self.probe[3].id == task.id:
            self.probe = None
        own = self.behind.get(task.pebble)
        if own is not None and own.pop(task.id, None) is not None and not own:
            del self.behind[task.pebble]

    def next(self) -> Entry | None:
        """Return the first task that waits, if no probe comes before it; it is the probe then."""
        while self.entries and (self.probe is None or self.entries[0] < self.probe):
            entry = heapq.heappop(self.entries)
            task = entry[3]
            if self.behind.get(task.pebble, {}).get(task.id) is entry:
                self.forget(task)
                self.probe = entry
                return entry
        return None
