"""Which bytes of a file are here: spans from a byte up to, not including, another; pure.

Laws: spans are kept sorted, apart from each other and not empty; nothing is here that was not added.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any, Self

from attrs import define, field


@define
class Spans:
    """A set of byte positions as sorted spans `[start, stop)`."""

    _spans: list[tuple[int, int]] = field(factory=list)

    @classmethod
    def read(cls, data: Any) -> Self | None:
        """Return the spans in JSON data (`[[start, stop], …]`), None when it is anything else."""
        made = cls()
        if not isinstance(data, list):
            return None
        for item in data:
            if not isinstance(item, list) or len(item) != 2 or any(type(end) is not int for end in item):
                return None
            if not 0 <= item[0] < item[1]:
                return None
            made.add(item[0], item[1])
        return made

    def add(self, start: int, stop: int) -> int:
        """Add a span and return how many of its bytes were not here before."""
        if stop <= start:
            return 0
        spans = self._spans
        if spans and spans[-1][1] == start:  # the usual case: a stream goes on
            spans[-1] = (spans[-1][0], stop)
            return stop - start
        first = bisect_left(spans, start, key=_end)
        last, known = first, 0
        low, high = start, stop
        while last < len(spans) and spans[last][0] <= stop:
            known += max(0, min(stop, spans[last][1]) - max(start, spans[last][0]))
            low, high = min(low, spans[last][0]), max(high, spans[last][1])
            last += 1
        spans[first:last] = [(low, high)]
        return stop - start - known

    def clear(self) -> None:
        """Forget everything."""
        self._spans.clear()

    def copy(self) -> Spans:
        """Return the same spans, apart from these."""
        return Spans(list(self._spans))

    @property
    def total(self) -> int:
        """How many bytes are here."""
        return sum(stop - start for start, stop in self._spans)

    @property
    def frontier(self) -> int:
        """Up to where everything from byte 0 is here."""
        return self._spans[0][1] if self._spans and self._spans[0][0] == 0 else 0

    @property
    def end(self) -> int:
        """The byte after the last one that is here."""
        return self._spans[-1][1] if self._spans else 0

    def missing(self, size: int) -> list[tuple[int, int]]:
        """Return what is not here of a file of `size` bytes, in order."""
        stops = [0, *(stop for _, stop in self._spans)]
        starts = [*(start for start, _ in self._spans), size]
        return [(stop, min(start, size)) for stop, start in zip(stops, starts, strict=True) if stop < min(start, size)]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the spans in order."""
        return iter(self._spans)


def pieces(spans: Iterable[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Return the spans cut into pieces of at most `length` bytes, in order."""
    return [(at, min(at + length, stop)) for start, stop in spans for at in range(start, stop, length)]


def _end(span: tuple[int, int]) -> int:
    return span[1]
