"""Restrictions that wait for each other: a circle of nodes of which none can hand out a task before another one does.

Laws: pure; said only when nothing in the run opens it: what is waited for is a falling `pending`, and every task that
makes it up is held in the same circle; a person can still open it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cryocloud_core.engine.restrictions import Restrictions

_Key = tuple[str, str]
#: comparisons that a falling number comes to satisfy
_FALLING: Final = frozenset({"<", "<=", "=", "=="})


def circles(restrictions: Restrictions, holds: Mapping[_Key, Mapping[str, int]]) -> dict[_Key, str]:
    """Return why the restrictions of a (workflow, node) will never hold, for each of which that is so.

    `holds` maps a (workflow, node) to the nodes whose tasks its restrictions hold back, and how many.
    """
    waits = {key: node for key in holds if (node := _waits_for(restrictions, key, holds)) is not None}
    behind = {key: _holders(restrictions, node, holds) for key, node in waits.items()}
    locked = {key for key, holders in behind.items() if holders}
    while True:
        free = {key for key in locked if not behind[key] <= locked}
        if not free:
            break
        locked -= free
    return {key: _told(key, waits, behind) for key in locked}


def _waits_for(restrictions: Restrictions, key: _Key, holds: Mapping[_Key, Mapping[str, int]]) -> _Key | None:
    """Return the node whose `pending` must fall before a restriction holds, None when it is something else."""
    failing = restrictions.failing(*key, lambda node: holds[key].get(node, 0))
    if failing is None or failing.operator not in _FALLING:
        return None
    node, _, parameter = failing.parameter.rpartition(".")
    workflow = restrictions.workflow_of(failing.channel)
    return (workflow, node) if parameter == "pending" and workflow is not None else None


def _holders(restrictions: Restrictions, node: _Key, holds: Mapping[_Key, Mapping[str, int]]) -> set[_Key]:
    """Return whose restrictions hold all open tasks of a node; empty when some are not held."""
    workflow, name = node
    holders = {key for key, held in holds.items() if key[0] == workflow and held.get(name, 0)}
    pending, processing = (restrictions.counted(workflow, f"{name}.{what}") for what in ("pending", "processing"))
    all_held = processing == 0 and pending == sum(holds[key][name] for key in holders)
    return holders if all_held else set()


def _told(key: _Key, waits: Mapping[_Key, _Key], behind: Mapping[_Key, set[_Key]]) -> str:
    """Return the way round, from a node back to one that was named."""
    steps: list[str] = []
    seen: list[_Key] = []
    here = key
    while here not in seen:
        seen.append(here)
        steps.append(f"{here[1]} waits for {waits[here][1]}")
        here = min(behind[here])
    return f"nothing in this run opens the circle: {', '.join(steps)}"
