"""One measured figure: what it is, what the rival came to in the same run, what is wanted.

Laws: a figure that has a rival is judged by the ratio, not by seconds, unless its goal says otherwise; figures cross
processes and files as JSON, so that two tables can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from attrs import frozen

from cryocloud_core.wire import from_data, to_data

#: how much is measured: `full` is what the goals are about, `quick` a look in a few minutes, `tiny` that it works
Size = Literal["full", "quick", "tiny"]


@frozen
class Goal:
    """A bound on the value or on the ratio of a figure; `least` tells that more is better."""

    bound: float
    of: Literal["value", "ratio"] = "value"
    least: bool = False

    def __str__(self) -> str:
        """Return it as the table shows it."""
        return f"{'≥' if self.least else '≤'} {number(self.bound)}{'x' if self.of == 'ratio' else ''}"


@frozen
class Figure:
    """A value in a unit, for a workload; the rival's value has the same unit."""

    workload: str
    name: str
    value: float
    unit: str
    rival: float | None = None
    rival_name: str = ""
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """Return ours to the rival's, None without one."""
        return self.value / self.rival if self.rival else None

    @property
    def is_met(self) -> bool | None:
        """Tell whether the goal is reached, None without one."""
        if self.goal is None:
            return None
        judged = self.value if self.goal.of == "value" else self.ratio
        if judged is None:
            return None
        return judged >= self.goal.bound if self.goal.least else judged <= self.goal.bound

    def to_data(self) -> Any:
        """Return it as JSON data."""
        return to_data(self)

    @classmethod
    def from_data(cls, data: Any) -> Figure:
        """Return the figure that `to_data` made data of."""
        return from_data(data, Figure)


def number(value: float) -> str:
    """Return a number with three digits that matter, thousands apart."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return quantile(values, 0.5)


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value below which so large a part of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
