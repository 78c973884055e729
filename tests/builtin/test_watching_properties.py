"""Properties of what dirwatcher decides: random lives of files and restarts against a model of the directory."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cryocloud_modules_builtin.watching import Arrival, Entry, Look, Verdict, Watch

QUIET_S = 5
PATHS = st.sampled_from(["/d/a", "/d/b", "/d/a b", "/d/\udcff"])


class Directory(RuleBasedStateMachine):
    """A directory whose files are made, grow, vanish and are renamed while a virtual clock runs."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.files: dict[str, Entry] = {}
        self.changed_at: dict[str, float] = {}
        self.births: dict[str, int] = {}
        #: which birth of a path was reported, and as what
        self.reported: dict[str, tuple[int, Entry]] = {}
        self.keys: set[str] = set()
        self.memory: dict[str, Any] = {}
        self.watch = Watch(QUIET_S)
        self.births_so_far = 0

    @rule(path=PATHS, size=st.integers(0, 3))
    def write(self, path: str, size: int) -> None:
        """A file is made, or written to."""
        if path not in self.files:
            self.births_so_far += 1
            self.births[path] = self.births_so_far
        self.files[path] = Entry(size, self.now)
        self.changed_at[path] = self.now

    @rule(path=PATHS)
    def delete(self, path: str) -> None:
        """A file is deleted, and the directory is looked at: what nobody looks at need not be noticed."""
        self.files.pop(path, None)
        self.look()

    @rule(old=PATHS, new=PATHS)
    def rename(self, old: str, new: str) -> None:
        """A file is renamed to a free name."""
        if old in self.files and new not in self.files:
            entry = self.files.pop(old)
            self.births_so_far += 1
            self.files[new], self.births[new], self.changed_at[new] = entry, self.births_so_far, self.now
            self.look()

    @rule(seconds=st.sampled_from([0.5, 1, 4, 5, 20]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule()
    def look(self) -> None:
        """Look at everything."""
        self.take(self.watch.observe(Look(dict(self.files), self.now)))

    @rule(paths=st.sets(PATHS))
    def look_at(self, paths: set[str]) -> None:
        """Look at what a hint names and at what is due."""
        if not self.watch.needs_everything:
            examined = paths.union(self.watch.due(self.now))
            seen = {path: entry for path, entry in self.files.items() if path in examined}
            self.take(self.watch.observe(Look(seen, self.now, frozenset(examined))))

    @rule()
    def restart(self) -> None:
        """The head is killed and started again: only what was committed is known."""
        self.watch = Watch(QUIET_S)
        self.watch.restore(json.loads(json.dumps(self.memory)).values(), "/d")

    def take(self, verdict: Verdict) -> None:
        """Check what was said, then commit it."""
        for arrival in verdict.arrivals:
            self.check(arrival)
            self.memory[arrival.key] = arrival.memo
        for key in verdict.gone:
            del self.memory[key]
            self.keys.discard(key)

    def check(self, arrival: Arrival) -> None:
        """An arrival exists, is at rest, was never reported like this, and has a key of its own."""
        path = arrival.path
        assert self.files[path] == arrival.entry
        assert self.changed_at[path] + QUIET_S <= self.now
        assert self.reported.get(path) != (self.births[path], arrival.entry)
        assert arrival.key not in self.keys
        self.reported[path] = self.births[path], arrival.entry
        self.keys.add(arrival.key)

    @invariant()
    def memory_does_not_grow(self) -> None:
        """A path is remembered once: when its next generation is committed, the old key is given back."""
        remembered = [memo["path"] for memo in self.memory.values()]
        assert len(remembered) == len(set(remembered))

    def teardown(self) -> None:
        """Whatever is there arrives in the end."""
        for _ in range(3):
            self.look()
            self.now += QUIET_S
        assert {path for path in self.files if path in self.reported} == self.files.keys()
        assert not self.watch.is_growing


Directory.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestDirectory = Directory.TestCase
