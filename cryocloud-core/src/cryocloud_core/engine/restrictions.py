"""Restrictions: whether a node's tasks may be handed out now, by status values of this run and of others.

Laws: pure, nothing is evaluated; all restrictions of a node must hold; a parameter nobody ever heard of holds, one
that is known and null is 0; what the restriction itself holds back does not count when it is judged.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from cryocloud_core.graph.condition import as_number
from cryocloud_core.graph.workflow import Restriction, Workflow

_SIGNS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}


class Board(Protocol):
    """Where status values are read."""

    def value(self, channel: str, parameter: str) -> Any:
        """Return the value now, None for one that is null."""
        ...

    def known(self, channel: str, parameter: str) -> bool:
        """Return True for a parameter that was ever heard of."""
        ...


class Restrictions:
    """The restrictions of all nodes of a run; channels of workflows are written with `_` for spaces."""

    def __init__(self, workflows: Iterable[Workflow], board: Board) -> None:
        self._board = board
        workflows = list(workflows)
        self._names = {workflow.name.replace(" ", "_"): workflow.name for workflow in workflows}
        self._of = {
            (workflow.name, node.name): node.restrictions
            for workflow in workflows
            for node in workflow.nodes.values()
            if node.restrictions
        }

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Return True for a (workflow, node) that is restricted."""
        return key in self._of

    def channels(self) -> set[str]:
        """Return every channel that is read."""
        return {restriction.channel for each in self._of.values() for restriction in each}

    def why(self, workflow: str, node: str, held: Callable[[str], int]) -> str:
        """Return the first restriction that does not hold, with the value it met; empty when all hold.

        `held` tells how many tasks of a node wait only for these restrictions: they do not count as pending.
        """
        found = self.failing(workflow, node, held)
        if found is None:
            return ""
        told = f"restriction {found.channel}:{found.parameter} {found.operator}{found.value}"
        return f"{told}: it is {self._seen(found, workflow, held)}"

    def failing(self, workflow: str, node: str, held: Callable[[str], int]) -> Restriction | None:
        """Return the first restriction that does not hold, None when all do."""
        for restriction in self._of.get((workflow, node), ()):
            if self._board.known(restriction.channel, restriction.parameter) and not _holds(
                restriction, self._seen(restriction, workflow, held)
            ):
                return restriction
        return None

    def workflow_of(self, channel: str) -> str | None:
        """Return the workflow of this run whose channel it is, None for any other channel."""
        return self._names.get(channel.replace(" ", "_"))

    def counted(self, workflow: str, parameter: str) -> Any:
        """Return the value of a workflow's parameter."""
        return self._board.value(workflow, parameter)

    def _seen(self, restriction: Restriction, workflow: str, held: Callable[[str], int]) -> Any:
        """Return the value that a restriction of a workflow is judged by."""
        value = self._value(restriction)
        name, dot, parameter = restriction.parameter.rpartition(".")
        own = restriction.channel.replace(" ", "_") == workflow.replace(" ", "_")
        if own and dot and parameter == "pending" and isinstance(value, int | float):
            value -= held(name)
        return value

    def _value(self, restriction: Restriction) -> Any:
        value = self._board.value(restriction.channel, restriction.parameter)
        return 0 if value is None else value


def _holds(restriction: Restriction, value: Any) -> bool:
    """Compare as numbers when both are, else as text."""
    compare = _SIGNS[restriction.operator]
    wanted, found = as_number(restriction.value), as_number(str(value))
    if wanted is not None and found is not None:
        return compare(found, wanted)
    return compare(str(value), restriction.value)
