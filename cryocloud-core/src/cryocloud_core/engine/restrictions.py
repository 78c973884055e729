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
        for restriction in self._of.get((workflow, node), ()):
            value = self._value(restriction)
            name, dot, parameter = restriction.parameter.rpartition(".")
            own = restriction.channel.replace(" ", "_") == workflow.replace(" ", "_")
            if own and dot and parameter == "pending" and isinstance(value, int | float):
                value -= held(name)
            if self._board.known(restriction.channel, restriction.parameter) and not _holds(restriction, value):
                sign = f"{restriction.operator}{restriction.value}"
                return f"restriction {restriction.channel}:{restriction.parameter} {sign}: it is {value}"
        return ""

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
