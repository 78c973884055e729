"""What a campaign does: how many pebbles, how many kills of which kind, and the seed of its chance."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WORKFLOW = Path(__file__).parent / "workflow" / "workflow.json"

#: kinds of disturbance: the head alone, one worker, the process that keeps the workers, everything at once as in a
#: power cut, and a polite stop
HEAD, WORKER, KEEPER, POWER, STOP = "kill head", "kill worker", "kill keeper", "kill all", "SIGTERM"


@dataclass(frozen=True)
class Plan:
    """One campaign; `folder` gets state, evidence and tempdirs of the disturbed and the undisturbed run."""

    folder: Path
    seed: int
    pebbles: int = 200
    kills: int = 100
    stops: int = 20
    work_ms: int = 20
    #: pebbles that may be open although their turn has not come, so that blows seldom hit an idle run
    backlog: int = 12
    workers: int = 2
    #: how long one run may go on without any end before it counts as hung, seconds
    patience_s: float = 120.0
    program: tuple[str, ...] = (str(Path(sys.executable).parent / "cryocloud"), "run")

    def disturbances(self) -> Sequence[str]:
        """Return the disturbances in the order they come."""
        chance = random.Random(self.seed)
        kills = [chance.choices((HEAD, WORKER, KEEPER, POWER), (10, 8, 1, 2))[0] for _ in range(self.kills)]
        mixed = [*kills, *[STOP] * self.stops]
        chance.shuffle(mixed)
        return mixed
