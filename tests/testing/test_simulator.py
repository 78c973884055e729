"""The fault simulator: no violation in the small version of its campaign, and it sees what it is there to see."""

from __future__ import annotations

import pytest

from cryocloud_core.engine import attempts, gate
from cryocloud_core.engine.regions import Region
from cryocloud_core.testing.campaigns import campaign, shrunk
from cryocloud_core.testing.simulator import Simulation
from cryocloud_core.testing.worlds import World


def test_no_law_is_broken_in_a_small_campaign() -> None:
    """Thousands of pebbles through every feature, with crashes."""
    tally, story = campaign(6_000, seed=1)

    assert story is None, str(story)
    assert tally.crashes > 100
    assert tally.tasks > tally.pebbles


def test_a_world_follows_from_its_seed() -> None:
    """The same journal, event by event."""
    journals = []
    for _ in range(2):
        simulation = Simulation(World.of(4711))
        simulation.run()
        journals.append(simulation.journal)

    assert journals[0] == journals[1]


def test_a_limit_that_leaks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The story names the task and the limit, and is shrunk."""
    monkeypatch.setattr(gate.Gate, "limit", lambda *_: None)
    tally, story = campaign(2_000, seed=0)

    assert story is not None
    assert "max_parallel" in story.violation
    assert story.world.pebbles <= World.of(tally.worlds).pebbles
    assert "last events:" in str(story)


def test_shifted_lists_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values under the wrong index are wrong data."""
    keep = Region.keep

    def shifted(region: Region, run: object) -> None:
        keep(region, run)  # type: ignore[arg-type]
        for column in region.columns.values():
            for values in column.values.values():
                values[:] = values[-1:] + values[:-1]

    monkeypatch.setattr(Region, "keep", shifted)
    _, story = campaign(3_000, seed=0)

    assert story is not None
    assert "argument from_" in story.violation


def test_a_loss_that_repeats_for_ever_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """When every task is lost, placing it again without end never finishes."""
    monkeypatch.setattr(attempts, "PLACEMENTS_AGAIN", 10**9)
    world = World.of(1)
    lost = World(world.seed, world.workflow, 1, type(world.faults)(lost=1.0, crash=0.0, cancelled=0.0))
    monkeypatch.setattr("cryocloud_core.testing.simulator.STEPS", 2_000)

    story = shrunk(lost)
    assert story is not None
    assert "stuck" in story.violation
