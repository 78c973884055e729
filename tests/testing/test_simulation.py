"""The fault simulator: no violation in the small version of its campaign, and it sees what it is there to see."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from attrs import NOTHING, evolve, fields

from cryocloud_core.engine import arguments, attempts, everywhere, exchange, joins, moves, regions, splits, turn
from cryocloud_core.engine.gate import Gate, Standing
from cryocloud_core.engine.pebble import State, Trigger
from cryocloud_core.engine.splits import Region
from cryocloud_core.graph.refs import ConfigRef, OptionRef
from cryocloud_core.graph.workflow import Node, Placement
from cryocloud_core.head import cache
from cryocloud_core.head.places import Places
from cryocloud_core.head.restraint import Restraint
from cryocloud_core.testing.simulation import simulator
from cryocloud_core.testing.simulation.campaigns import campaign, shrunk
from cryocloud_core.testing.simulation.simulator import Simulation
from cryocloud_core.testing.simulation.worlds import Faults, World

if TYPE_CHECKING:
    from collections.abc import Callable

#: keys that concern loading, containers, services and uploads: the engine never looks at them
_ELSEWHERE = {"permanent", "post", "placement.docker", "placement.image", "placement.replicas"}
_ELSEWHERE |= {"placement.volumes", "placement.service_url"}


def test_no_law_is_broken_in_a_small_campaign() -> None:
    """Thousands of pebbles through every feature, with crashes."""
    tally, story = campaign(3_000, seed=1)

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


def test_every_key_of_a_node_is_drawn_by_some_world() -> None:
    """What the language grows must be simulated: each field of a node takes a value that is not its default."""
    nodes = [node for seed in range(400) for flow in World.of(seed).flows for node in flow.nodes.values()]
    keys = [(each.name, each.default) for each in fields(Node) if each.default is not NOTHING]
    drawn = {name for name, default in keys if any(getattr(node, name) != _plain(default) for node in nodes)}
    places = [node.placement for node in nodes]
    drawn |= {
        f"placement.{each.name}"
        for each in fields(Placement)
        if any(getattr(place, each.name) != _plain(each.default) for place in places)
    }
    every = {name for name, _ in keys} | {f"placement.{each.name}" for each in fields(Placement)}

    assert sorted(every - drawn) == sorted(_ELSEWHERE)


def _plain(default: Any) -> Any:
    return default.factory() if hasattr(default, "factory") else default


def test_a_story_is_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate without limits: told with the fewest pebbles, nodes and faults that show it."""
    monkeypatch.setattr(Gate, "limit", lambda *_: None)
    tally, story = campaign(2_000, seed=0)

    assert story is not None
    assert "max_parallel" in story.violation
    found, told = World.of(tally.worlds), story.world
    assert told.pebbles <= found.pebbles
    assert sum(len(flow.nodes) for flow in told.flows) <= sum(len(flow.nodes) for flow in found.flows)
    assert told.faults == Faults(*[0.0] * len(fields(Faults)))
    assert "max_parallel=" in str(story)
    assert "last events:" in str(story)


# --- what it is there to see ---------------------------------------------------------------------------------


def _shifted(column: Any) -> None:
    for values in column.values.values():
        values[:] = values[-1:] + values[:-1]


def _keep_shifted(patch: pytest.MonkeyPatch) -> None:
    keep = Region.keep

    def shifted(region: Region, run: Any) -> None:
        keep(region, run)
        for column in region.columns.values():
            _shifted(column)

    patch.setattr(Region, "keep", shifted)


def _restore_shifted(patch: pytest.MonkeyPatch) -> None:
    restore = splits.Column.restore

    def shifted(column: splits.Column, kept: Any) -> None:
        restore(column, kept)
        _shifted(column)

    patch.setattr(splits.Column, "restore", shifted)


def _enter_backwards(patch: pytest.MonkeyPatch) -> None:
    push = Gate.enter

    def backwards(gate: Gate, task: Any) -> None:
        push(gate, evolve(task, priority=100 - task.priority))

    patch.setattr(Gate, "enter", backwards)


def _answer_backwards(patch: pytest.MonkeyPatch) -> None:
    over = Region.over
    patch.setattr(
        everywhere.Region, "over", lambda plan, outer, task, machines: over(plan, outer, task, machines[::-1])
    )


def _everybody_goes_on(patch: pytest.MonkeyPatch) -> None:
    answers = exchange._answers

    def together(met: list[Any], at: float) -> list[Any]:
        found = answers(met, at)
        values = next(each.values for each in found if each.goes_on)
        return [evolve(each, goes_on=True, values=values) for each in found]

    patch.setattr(exchange, "_answers", together)


def _the_first_goes_on(patch: pytest.MonkeyPatch) -> None:
    """Whoever came last goes on, whatever `resolveOn` says."""
    answers = exchange._answers
    patch.setattr(exchange, "_answers", lambda met, at: answers([evolve(each, resolve_on="") for each in met], at))


def _nothing_is_lent(patch: pytest.MonkeyPatch) -> None:
    answers = exchange._answers

    def poor(met: list[Any], at: float) -> list[Any]:
        return [evolve(each, values={}) for each in answers(met, at)]

    patch.setattr(exchange, "_answers", poor)


def _read(patch: pytest.MonkeyPatch, kind: type, value: Callable[[arguments.Reader, Any], Any]) -> None:
    """Let references of one kind be read in another way."""
    read = arguments.Reader.value

    def otherwise(reader: arguments.Reader, source: Any) -> Any:
        return value(reader, source) if isinstance(source, kind) else read(reader, source)

    patch.setattr(arguments.Reader, "value", otherwise)


def _by_chance(patch: pytest.MonkeyPatch) -> None:
    """Repeats that a replay does not repeat."""
    patch.setattr(attempts, "_repeated", lambda *_: None if random.random() < 0.5 else attempts.Ending(Trigger.REPLACE))


def _flights_of_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cache.ResultCache, "_waits", lambda *_: False)


MUTANTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "limits are not kept": (lambda p: p.setattr(Gate, "limit", lambda *_: None), "exceeds max_parallel"),
    "priorities are turned round": (_enter_backwards, "overtakes"),
    "restrictions are not judged": (
        lambda p: p.setattr(Restraint, "_judge", lambda *_: None),
        "starts while its",
    ),
    "only restrictions of nodes are judged": (
        lambda p: p.setattr(Restraint, "_at_the_door", lambda *_: None),
        "starts while its input is held back",
    ),
    "what a restriction held is not offered again": (
        lambda p: p.setattr(Gate, "_probe", lambda *_: None),
        "could run and is not handed out",
    ),
    "a pebble that was let in stays behind those that were not": (
        lambda p: p.setattr(Gate, "let_in", lambda *_: None),
        "could run and is not handed out",
    ),
    "a machine that is back is not noticed": (
        lambda p: p.setattr(Places, "appeared", lambda _: []),
        "could run and is not handed out",
    ),
    "nobody is told what a task waits for": (
        lambda p: p.setattr(Gate, "standing", lambda *_: Standing()),
        "waits, and people are told",
    ),
    "ccnode is forgotten": (lambda p: p.setattr(arguments, "_machines", lambda _: ()), "its node says"),
    "machines are answered in another order": (_answer_backwards, "may run on"),
    "all parts are opened at once": (
        lambda p: p.setattr(Region, "may_open", property(lambda r: not r.stopping and r.opened < len(r.items))),
        "are in work at once",
    ),
    "a failed part does not stop the others": (
        lambda p: p.setattr(regions, "_stop", lambda *_: None),
        "has failed",
    ),
    "lists are shifted": (_keep_shifted, "argument "),
    "a checkpoint shifts lists": (_restore_shifted, "a replay with checkpoints comes to another state"),
    "a condition always holds": (lambda p: p.setattr(joins, "permits", lambda *_: True), "does not hold"),
    "options are those of today": (
        lambda p: _read(p, OptionRef, lambda reader, source: reader.context.options["o"] + 1),
        "argument opt",
    ),
    "configuration is that of the birth": (
        lambda p: _read(p, ConfigRef, lambda reader, source: reader.pebble.born.config[source.name]),
        "argument cfg",
    ),
    "every pebble of a rendezvous goes on": (_everybody_goes_on, "a second pebble goes on"),
    "whoever came last goes on": (_the_first_goes_on, "did not come through"),
    "who goes on has nothing of the others": (_nothing_is_lent, "argument from_W"),
    "equal tasks have other results": (
        lambda p: p.setattr(cache, "key_of", lambda task, rule: task.module),
        "which is not there for it",
    ),
    "results do not age": (lambda p: p.setattr(cache.Entry, "holds", lambda *_: True), "which is not there for it"),
    "results are not found": (lambda p: p.setattr(cache.ResultCache, "_find", lambda *_: None), "there is a result"),
    "equal tasks run together": (_flights_of_one, "which is equal"),
    "tempdirs are not noted": (lambda p: p.setattr(turn, "used_tempdirs", lambda *_: None), "tempdirs are left"),
    "a pebble is as good as its best node": (
        lambda p: p.setattr(moves, "worst", lambda states: State.SUCCESS),
        "finished as",
    ),
    "a replay goes another way": (_by_chance, "in the replay"),
}


#: where to begin to look, for what only few worlds show
SEEDS = {"a pebble that was let in stays behind those that were not": 1_500}


@pytest.mark.parametrize("name", MUTANTS)
def test_broken_behaviour_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these changes breaks a law in some world."""
    mutate, told = MUTANTS[name]
    mutate(monkeypatch)
    monkeypatch.setattr(simulator, "STEPS", 2_000)

    assert told in _first_violation(SEEDS.get(name, 0))


def _first_violation(first: int) -> str:
    for seed in range(first, first + 3_000):
        try:
            Simulation(World.of(seed)).run()
        except Exception as error:  # noqa: BLE001 - whatever it is
            return f"seed {seed}: {type(error).__name__}: {error}"
    return "nothing"


def test_a_loss_that_repeats_for_ever_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """When every task is lost, placing it again without end never finishes."""
    monkeypatch.setattr(attempts, "PLACEMENTS_AGAIN", 10**9)
    monkeypatch.setattr(simulator, "STEPS", 500)
    lost = Faults(lost=1.0, crash=0.0, cancelled=0.0)
    world = evolve(World.of(1), pebbles=1, faults=lost)

    story = shrunk(world)
    assert story is not None
    assert "stuck" in story.violation
