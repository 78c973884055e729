"""The world around a simulated head: status values, configuration, and machines that go away and come back.

Laws: nothing stays as it is for ever, so that whoever waits for it can wait; whoever is head by then is told.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from cryocloud_core.testing.simulation.clock import Clock
from cryocloud_core.testing.simulation.machines import Machines
from cryocloud_core.testing.simulation.worlds import PARAMETERS, World


class Told(Protocol):
    """Whoever is head."""

    def status_changed(self, parameter: str, value: Any) -> None:
        """A status value of somebody else has changed."""
        ...

    def machine_left(self, tasks: list[str], machine: str) -> None:
        """A machine has gone away with these tasks."""
        ...

    def machine_came(self, machine: str) -> None:
        """A machine is there again."""
        ...


class Around:
    """What changes by itself; `head` is told."""

    head: Told

    def __init__(self, world: World, clock: Clock) -> None:
        self.machines = Machines(world.machines, clock.chance)
        #: status values of the channel `Feed`
        self.status: dict[str, Any] = {name: values[0] for name, values in PARAMETERS.items()}
        #: how often the configuration was changed
        self.config = 0
        self._clock = clock
        for name in PARAMETERS:
            clock.happens(2.0, partial(self._change_status, name))
        clock.happens(5.0, self._change_config)
        for each in world.machines:
            if each.away_s:
                clock.happens(10.0, partial(self._leave, each.name, each.away_s))

    def _change_status(self, name: str) -> None:
        self.status[name] = self._clock.chance.choice(PARAMETERS[name])
        self.head.status_changed(name, self.status[name])
        self._clock.happens(2.0, partial(self._change_status, name))

    def _change_config(self) -> None:
        self.config += 1
        self._clock.happens(5.0, self._change_config)

    def _leave(self, machine: str, away_s: float) -> None:
        self.head.machine_left(self.machines.leaves(machine), machine)
        self._clock.happens(away_s, partial(self._return, machine, away_s))

    def _return(self, machine: str, away_s: float) -> None:
        self.machines.returns(machine)
        self.head.machine_came(machine)
        self._clock.happens(10.0, partial(self._leave, machine, away_s))
