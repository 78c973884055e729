"""Values that name files: one, or a list of them, at any depth.

Laws: pure; what stands for a file in the result stands where its name stood; nulls name nothing and stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def leaves(value: Any, origins: tuple[str, ...] = ()) -> Iterator[tuple[Any, str]]:
    """Yield what is named in a value, with the machine where it lies; empty where no machine is known.

    A list that several machines made has an origin for each item; what one of them returned may be a list again.
    """
    if isinstance(value, list):
        one_each = len(origins) == len(value)
        for index, item in enumerate(value):
            yield from leaves(item, origins[index : index + 1] if one_each else origins[:1])
    elif value is not None:
        yield value, origins[0] if origins else ""


def filled(value: Any, found: Iterator[Any]) -> Any:
    """Return a value with each of its leaves replaced by the next that was found."""
    if isinstance(value, list):
        return [filled(item, found) for item in value]
    return None if value is None else next(found)
