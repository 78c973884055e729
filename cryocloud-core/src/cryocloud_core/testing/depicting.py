"""All that an engine knows of its pebbles as plain data, so that two engines can be compared whole.

Laws: nothing is left out but the last events kept for error texts; a run or scope met again is named by when it was
met first, so that the same tangle gives the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import attrs

from cryocloud_core.engine.checkpoints import Numbers
from cryocloud_core.engine.engine import Engine
from cryocloud_core.engine.pebble import Pebble
from cryocloud_core.engine.plan import Plan
from cryocloud_core.graph.workflow import Node

#: told in errors only: a replay that takes checkpoints has not seen all of them
_NOT_DEPICTED: Final = frozenset({(Pebble, "story")})


def depict(engine: Engine) -> Any:
    """Return the picture of every open pebble, in the order in which the engine holds them."""
    return [_Painter().paint(pebble) for pebble in engine.pebbles.values()]


class _Painter:
    """Paints one pebble."""

    def __init__(self) -> None:
        self._met: dict[int, int] = {}

    def paint(self, value: Any) -> Any:
        """Return plain data that is equal for equal values."""
        if isinstance(value, Node | Plan):
            return value.name if isinstance(value, Node) else value.workflow.name
        if isinstance(value, Numbers):
            return list(value.ranges)
        if attrs.has(type(value)):
            return self._object(value)
        if isinstance(value, Enum):
            return value.name
        if isinstance(value, Mapping):
            return [(self.paint(key), self.paint(each)) for key, each in value.items()]
        if isinstance(value, set | frozenset):
            return sorted(map(self.paint, value))
        if isinstance(value, list | tuple):
            return list(map(self.paint, value))
        return value

    def _object(self, value: Any) -> Any:
        kind = type(value)
        # Without an equality of its own it is one of a kind.
        if "__eq__" not in vars(kind):
            if id(value) in self._met:
                return (kind.__name__, self._met[id(value)])
            self._met[id(value)] = len(self._met)
        names = [each.name for each in attrs.fields(kind) if (kind, each.name) not in _NOT_DEPICTED]
        return (kind.__name__, [(name, self.paint(getattr(value, name))) for name in names])
