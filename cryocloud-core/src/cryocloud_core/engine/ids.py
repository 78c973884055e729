"""A set of numbers kept as ranges, so that remembering a million finished pebbles costs as much as one.

Laws: numbers are only added; memory grows with the gaps, not with the numbers.
"""

from __future__ import annotations

from bisect import bisect_right, insort


class IdSet:
    """A growing set of integers."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._end_of: dict[int, int] = {}

    def __contains__(self, number: int) -> bool:
        """Return True when the number was added."""
        start = self._start_before(number)
        return start is not None and number <= self._end_of[start]

    def __len__(self) -> int:
        """Return how many ranges are kept."""
        return len(self._starts)

    def add(self, number: int) -> None:
        """Add a number; adding it again changes nothing."""
        if number in self:
            return
        end = number
        if number + 1 in self._end_of:
            end = self._end_of.pop(number + 1)
            del self._starts[bisect_right(self._starts, number + 1) - 1]
        before = self._start_before(number)
        if before is not None and self._end_of[before] == number - 1:
            self._end_of[before] = end
        else:
            self._end_of[number] = end
            insort(self._starts, number)

    def _start_before(self, number: int) -> int | None:
        place = bisect_right(self._starts, number)
        return self._starts[place - 1] if place else None
