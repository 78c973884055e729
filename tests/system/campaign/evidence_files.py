"""The evidence that the steps left, read back: who began when, who ended when, and what they saw go wrong."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Begun:
    """One attempt that began: times are seconds UTC; `ended_at` is None when its process died in it."""

    task: str
    attempt: int
    pid: int
    at: float
    monotonic_s: float
    ended_at: float | None
    ended_monotonic_s: float | None

    @property
    def node(self) -> str:
        """The task without its attempt: `42/Wind`, `42/Alarm#2`."""
        return self.task.rpartition("/")[0]


@dataclass(frozen=True)
class Evidence:
    """All that was left: attempts in the order they began, and the violations that tasks saw themselves."""

    begun: tuple[Begun, ...]
    violations: tuple[str, ...]

    def by_node(self) -> dict[str, list[Begun]]:
        """Return the attempts of each node of each pebble, in the order they began."""
        found = defaultdict(list)
        for begun in self.begun:
            found[begun.node].append(begun)
        return found


def read_evidence(folder: Path) -> Evidence:
    """Read a folder of evidence files."""
    begun = []
    for path in folder.glob("*.begin"):
        record = json.loads(path.read_text())
        end = path.with_suffix(".end")
        ended = json.loads(end.read_text()) if end.exists() else {}
        numbers = (record["pid"], record["at"], record["monotonic_s"])
        begun.append(Begun(record["task"], record["attempt"], *numbers, ended.get("at"), ended.get("monotonic_s")))
    seen = [json.loads(path.read_text()) for path in folder.glob("*.violation")]
    told = tuple(f"{record['task']} (pid {record['pid']}): {record['what']}" for record in seen)
    return Evidence(tuple(sorted(begun, key=lambda one: one.monotonic_s)), told)
